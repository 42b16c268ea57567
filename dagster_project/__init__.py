"""WHEN tables are built, and what is checked."""
