"""Detectors that name lines and money."""
