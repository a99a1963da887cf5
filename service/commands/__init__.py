"""One command a module; each has `command`."""
