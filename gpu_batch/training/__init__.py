"""Training of models that the repository ships. Not part of the worker's images."""
