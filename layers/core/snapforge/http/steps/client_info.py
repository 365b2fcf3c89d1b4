"""Give the handler what is known of the client, where it asks for it."""

from snapforge.http.request import Request
from snapforge.http.route import Route


def give_client_info(route: Route, request: Request) -> None:
    """Fill the parameter of type ClientInfo."""
    if route.signature.client:
        request.arguments[route.signature.client] = request.client
