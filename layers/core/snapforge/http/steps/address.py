"""Give the handler the viewer's address, where it asks for it."""

from typing import TYPE_CHECKING

from snapforge.http.request import Request

if TYPE_CHECKING:
    from snapforge.http.endpoint import Endpoint


def give_origin(endpoint: "Endpoint", request: Request) -> None:
    """Fill the parameter of type Origin."""
    if endpoint.signature.origin:
        request.arguments[endpoint.signature.origin] = request.origin
