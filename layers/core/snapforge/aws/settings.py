"""What a function is told by its environment. Read when needed, never at import."""

import os


class MissingSettingError(RuntimeError):
    """The template gives this function no such variable."""


def get(name: str) -> str:
    """The variable's value; MissingSettingError says which one is missing."""
    value = os.environ.get(name)
    if not value:
        raise MissingSettingError(
            f"the environment variable {name} is not set: add it to this function in its template"
        )
    return value


def find(name: str) -> str | None:
    """The variable's value, or None where the operator has left it empty."""
    return os.environ.get(name) or None


def table(context: str) -> str:
    """The full name of a context's table."""
    return get("TABLE_PREFIX") + context
