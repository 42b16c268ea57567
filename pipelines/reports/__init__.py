"""TRANSFORM: one file per report, each a plain function from frames to a frame."""
