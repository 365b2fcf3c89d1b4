"""The GPU worker: one attempt of one job per process.

It knows manifests, results and reports; no context, no credits, no mail.
"""
