"""Clean events."""
