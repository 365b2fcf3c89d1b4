"""Warm workers and their keeper against one container a job, on seeded bursty arrivals. Pure Python, no emulator.

`arrivals` makes the orders, `machines` holds what is assumed of AWS and of the GPU, `warm` and `containers` are the two
houses, `choice` sweeps the settings and writes the section. What decides how many workers start is the product's own
`snapforge.jobs.domain.fleet`.
"""
