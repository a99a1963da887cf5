"""Detectors that know what to expect."""
