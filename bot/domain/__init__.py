"""The frozen values that packages pass to each other. They use no other package than texts."""
