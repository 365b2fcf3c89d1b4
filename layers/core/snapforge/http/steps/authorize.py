"""Check the endpoint's one permission."""

from snapforge.http.request import Request
from snapforge.http.route import Route
from snapforge.kit.errors import Forbidden


def check_permission(route: Route, request: Request) -> None:
    """Forbidden unless the principal's permissions hold the endpoint's."""
    principal = request.principal
    if route.permission is None:
        return
    if principal is None or route.permission not in principal.permissions:
        raise Forbidden(
            f"This needs the permission `{route.permission}`.",
            fix="Ask an owner of the org, verify your e-mail address, or use a key with this scope.",
        )
    if route.signature.principal:
        request.arguments[route.signature.principal] = principal
