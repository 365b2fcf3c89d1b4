"""The only modules that import torch and its friends. Stages reach them through `worker.engines.base`."""
