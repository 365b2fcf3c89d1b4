"""What can go wrong in identity, as a customer sees it."""

from snapforge.kit.errors import Conflict, Forbidden, InvalidPayload, NotFound, Problem, RateLimited, Unauthenticated

__all__ = [
    "ForeignOrigin",
    "KeyNotFound",
    "RateLimited",
    "RefreshReused",
    "SessionOver",
    "TooManyKeys",
    "Unauthenticated",
    "VerificationOver",
    "WeakPassword",
    "WrongCredentials",
]


class WeakPassword(InvalidPayload):
    code = "weak_password"
    title = "Choose another password"
    fix = "Take 10 characters or more that nobody would guess; a sentence is fine."


class WrongCredentials(Problem):
    """Wrong password or unknown address: never told apart."""

    status = 401
    code = "wrong_credentials"
    title = "E-mail address or password is wrong"
    fix = "Check both; or sign up first."


class SessionOver(Unauthenticated):
    code = "session_over"
    title = "The session is over"
    fix = "Log in again."


class RefreshReused(SessionOver):
    """A rotated token came back: two parties hold this session, so it ends for both."""

    code = "refresh_token_reused"
    title = "The session was ended for safety"
    fix = "Log in again. If this happens without your doing, log out all devices and change your password."


class ForeignOrigin(Forbidden):
    code = "foreign_origin"
    title = "This must come from our own pages"
    fix = "Send the header `X-Requested-With: snapforge`, and no `Origin` other than ours."


class VerificationOver(Problem):
    status = 410
    code = "verification_over"
    title = "This link is no longer valid"
    fix = "Ask for a new one: POST /v1/auth/resend-verification."


class KeyNotFound(NotFound):
    code = "api_key_not_found"
    title = "No such API key"


class TooManyKeys(Conflict):
    code = "too_many_api_keys"
    title = "The org has as many API keys as it can have"
    fix = "Revoke one that is no longer used."
