"""Claims in: what a claim is, how it is read, checked, stored."""
