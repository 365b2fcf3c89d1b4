"""Find out who asks: a session's access token or an API key, both sent as `Authorization: Bearer`."""

from snapforge.http.request import Request
from snapforge.http.route import Route
from snapforge.kit.errors import Unauthenticated


def resolve_principal(route: Route, request: Request) -> None:
    """Set `request.principal`; a public endpoint looks at no credentials.

    Unauthenticated for none or bad ones; RateLimited, with its headers, for a key that has used up its requests.
    """
    if route.permission is None:
        return
    # Here, because open routes and consumers do without it.
    from snapforge.identity import service as identity

    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(headers={"www-authenticate": 'Bearer realm="snapforge"'})
    if not token.startswith("sf_"):
        request.principal = identity.principal_of_session(token)
        return
    request.principal, allowance = identity.principal_of_key(token)
    request.response_headers |= allowance.headers()
