"""Exact counters on what strangers may try, by address."""

from snapforge.identity import domain, store
from snapforge.kit import clock
from snapforge.kit.errors import RateLimited
from snapforge.kit.limits import Allowance


def count_address(action: str, address: str) -> Allowance:
    """Count a try of `action` (a key of domain.COUNTED) from an IP address; RateLimited when it was one too many.

    One UpdateItem, exact over all processes. An IPv6 customer counts as one.
    """
    allowance = _count(action, domain.address_bucket(address))
    if allowance.exceeded:
        raise RateLimited(
            f"At most {allowance.limit} in {domain.COUNTED[action].seconds // 60} minutes from one address.",
            fix="Wait as long as Retry-After says.",
            headers=allowance.headers(),
        )
    return allowance


def may_mail(email: str) -> bool:
    """Count a mail that a stranger asks to be sent to `email`; False when it was one too many."""
    return not _count("mail", domain.email_key(email)).exceeded


def _count(action: str, whom: str) -> Allowance:
    now = clock.now()
    return domain.allowance_of_count(domain.COUNTED[action], store.count(action, whom, now), now)
