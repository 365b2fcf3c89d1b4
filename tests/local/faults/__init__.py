"""Faults from outside against the whole system: nothing is lost, and the ledger is exact."""
