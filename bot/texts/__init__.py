"""What is said to people. The lowest room: it knows nothing of the others."""
