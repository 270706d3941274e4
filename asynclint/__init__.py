"""asynclint: a static checker that makes async Python test suites honest."""

__version__ = "0.1.0"
