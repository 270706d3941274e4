"""What happens to a value on every path."""
