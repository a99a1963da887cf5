"""What is odd: rules, statistical detectors, their fusion and the words for it."""
