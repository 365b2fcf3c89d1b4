"""Quotes as customers hold them: signed tokens that keep a price."""

from datetime import datetime

from snapforge.aws import secrets
from snapforge.jobs.domain import quotes
from snapforge.jobs.domain.quotes import Quote
from snapforge.jobs.domain.requests import JobRequest, fingerprint


def promised(org_id: str, request: JobRequest, token: str | None, now: datetime) -> Quote | None:
    """The quote in `token`, if it is ours, valid, and for this very order of this org."""
    if not token:
        return None
    quote = quotes.read(token, keys(), now)
    if quote is None or quote.org != org_id or quote.request != fingerprint(request):
        return None
    return quote


def keys() -> list[str]:
    """The keys that sign (the first) and verify quotes."""
    ring = secrets.read("quote-key")
    return [key for key in (ring["current"], ring.get("previous")) if key]


def sign(quote: Quote, now: datetime) -> str:
    """The token of a quote, valid for quotes.VALID."""
    return quotes.sign(quote, keys()[0], now)
