"""Stories that show Pay at work."""
