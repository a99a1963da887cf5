"""What we promise of it: bundles, training, registry, scoring, replay, evaluation."""
