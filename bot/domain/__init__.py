"""The frozen values that cross rooms. They import nothing but each other, and texts."""
