"""One rule per file, found by asynclint.rule.all_rules, never listed."""
