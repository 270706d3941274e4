"""Faults that tests/benchmarks/seed_faults.py makes, one module a family; ``kinds`` is the table."""
