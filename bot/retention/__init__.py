"""How long members' data and pictures are kept, and how they are deleted."""
