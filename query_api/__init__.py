"""SERVE: the read side, from the lake to analysts."""
