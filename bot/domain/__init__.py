"""The frozen values that packages pass to each other. They import only each other, and texts."""
