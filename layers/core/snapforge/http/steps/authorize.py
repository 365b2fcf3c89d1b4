"""Check the endpoint's one permission."""

from typing import TYPE_CHECKING

from snapforge.http.request import Request
from snapforge.kit.errors import Forbidden

if TYPE_CHECKING:
    from snapforge.http.endpoint import Endpoint


def check_permission(endpoint: "Endpoint", request: Request) -> None:
    """Forbidden unless the principal's permissions hold the endpoint's."""
    principal = request.principal
    if endpoint.permission is None:
        return
    if principal is None or endpoint.permission not in principal.permissions:
        raise Forbidden(
            f"This needs the permission `{endpoint.permission}`.",
            fix="Ask an owner of the org, verify your e-mail address, or use a key with this scope.",
        )
    if endpoint.signature.principal:
        request.arguments[endpoint.signature.principal] = principal
