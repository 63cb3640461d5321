"""What is drawn: from an ask to values that the model can use."""
