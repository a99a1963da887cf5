"""What is normal: features of encounters, doctors and facilities, peer groups, the matrix of them all."""
