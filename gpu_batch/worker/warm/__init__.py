"""`python -m worker.warm`: one process draws the pictures of many image jobs, with the model loaded once.

It drains the images queues (`snapforge.contracts.tickets`), claims attempts, draws them in micro-batches and ends each
attempt exactly as `worker.run` does. docs/decisions/0014-warm-workers.md tells why it is built so.
"""
