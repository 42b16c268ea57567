"""Measurements, never assertions: ratios taken side by side in one run, with machine and commit."""
