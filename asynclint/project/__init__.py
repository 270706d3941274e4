"""What the rest of the repository says."""
