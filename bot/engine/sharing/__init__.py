"""Several models on one device: whose turn it is, and where their weights rest meanwhile."""
