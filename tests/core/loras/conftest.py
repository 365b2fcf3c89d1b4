"""The engine around jobs: LoRAs are made by them."""

from tests.core.jobs.conftest import engine

__all__ = ["engine"]
