"""Mutants of the product's code, a seeded sample of them, each held against the tests: `make mutants`."""
