"""What keeps tables and run history small."""
