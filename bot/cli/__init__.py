"""The command line. A command of more than a few lines has a file of its own."""
