"""Credits: an append-only double-entry ledger, and what a customer may spend of it."""
