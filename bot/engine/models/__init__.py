"""What is loaded and how its parts are used: text, start, decoding."""
