"""Tables of facts that two or more rules share; no logic."""
