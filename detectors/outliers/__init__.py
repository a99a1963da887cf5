"""Detectors for what no one thought of; one file each, found by name."""
