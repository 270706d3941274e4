"""What bounds a test."""
