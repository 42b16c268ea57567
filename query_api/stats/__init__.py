"""STATS: questions in the shape of Plausible's Stats API v2, answered from events and sessions."""
