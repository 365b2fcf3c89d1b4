"""Both folders have a who.py and a shelf.py: each must see its own."""

from shelf import PLACE


def handler(event, context):
    import shelf

    return [PLACE, shelf.PLACE]
