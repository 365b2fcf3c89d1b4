"""The range of seeds, for every kind of order."""

MAX_SEED = 2**31 - 1 - 16
"""Picture i is drawn with seed + i, and engines take 31 bits."""
