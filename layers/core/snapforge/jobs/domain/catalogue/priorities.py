"""What urgency costs."""

from snapforge.jobs.domain.requests.priority import Priority

PRICE_FACTORS: dict[Priority, int] = {"rush": 2, "standard": 1, "bulk": 1}
"""Times the list price."""
