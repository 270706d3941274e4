"""Bytes become things a rule can look at."""
