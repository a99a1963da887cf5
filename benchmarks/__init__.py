"""Benchmarks: every speed or quality figure of README and docs comes from here, as a ratio beside a baseline."""
