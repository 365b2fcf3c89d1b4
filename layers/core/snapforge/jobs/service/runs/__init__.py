"""From a job to its end: the workflow's steps, what workers report, settlement, and the reconciler behind them."""
