"""Findings become text, and edits become files."""
