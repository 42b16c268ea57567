"""CONSUME and LAND, then TRANSFORM: from the stream to the raw table, from raw rows to reports."""
