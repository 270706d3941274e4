"""Whether a suite looks for tasks that a test leaves behind, and the fixture that does."""
