"""What is odd about a doctor, a facility or a patient: measures over all their claims."""
