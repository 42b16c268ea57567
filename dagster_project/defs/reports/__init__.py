"""Sessions and reports, and when they are refreshed."""
