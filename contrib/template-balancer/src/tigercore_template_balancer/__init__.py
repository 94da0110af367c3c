"""A balancing strategy for tigercore, to copy."""
