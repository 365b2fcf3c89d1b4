"""What is decided about jobs, with plain values: one file per subject, entered through these names or the modules."""
