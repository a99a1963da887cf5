"""Feature families, one file each; they are discovered by `features.base` and never import each other."""
