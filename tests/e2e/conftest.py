"""The whole system, once for all end-to-end tests."""

from tests.support.region import region

__all__ = ["region"]
