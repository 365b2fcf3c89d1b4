"""The providers by name, each with its key from the secret `providers`.

The secret is a JSON object: `{"together": {"key": "..."}, "replicate": {"key": "..."}, "huggingface": {"key": "..."}}`.
A provider without a key is not used. `"url"` beside a key is another address of the same API: a gateway of the
operator's, or a dedicated endpoint.
"""

from collections.abc import Mapping
from typing import Any

from snapforge.providers.base import Provider

NAMES = ("together", "replicate", "huggingface")


def configured(keys: Mapping[str, Any]) -> frozenset[str]:
    """The providers that have a key."""
    return frozenset(name for name in NAMES if (keys.get(name) or {}).get("key"))


def provider(name: str, keys: Mapping[str, Any]) -> Provider:
    """The provider, ready to draw. KeyError where it has no key."""
    if name not in configured(keys):
        raise KeyError(name)
    entry = {"key": keys[name]["key"]} | ({"url": keys[name]["url"].rstrip("/")} if keys[name].get("url") else {})
    match name:
        case "together":
            from snapforge.providers.together import Together

            return Together(**entry)
        case "replicate":
            from snapforge.providers.replicate import Replicate

            return Replicate(**entry)
        case _:
            from snapforge.providers.huggingface import HuggingFace

            return HuggingFace(**entry)
