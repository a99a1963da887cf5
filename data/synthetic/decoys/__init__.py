"""Honest claims that look guilty, and faulty data: one decoy a module, each with a constant `DECOY`."""
