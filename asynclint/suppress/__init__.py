"""What is found and not reported: ``# noqa`` comments, those that suppress nothing, and the baseline."""
