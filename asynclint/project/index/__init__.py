"""What a name is, across files."""
