"""Both folders have a who.py and a shelf.py: each must see its own."""

from typing import Any

from shelf import PLACE  # type: ignore[import-not-found]


def handler(event: Any, context: Any) -> Any:
    import shelf

    return [PLACE, shelf.PLACE]
