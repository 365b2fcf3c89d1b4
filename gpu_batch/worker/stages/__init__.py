"""One folder per kind of job, one file per stage. Stages are written against `worker.stages.base` only."""
