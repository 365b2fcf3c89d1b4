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
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated(headers={"www-authenticate": 'Bearer realm="snapforge"'})
    # Imported here, because open routes do without both, and every other request without one of them.
    if not token.startswith("sf_"):
        from snapforge.identity.service import sessions

        request.principal = sessions.principal_of_session(token)
        return
    from snapforge.identity.service import keys

    request.principal, allowance = keys.principal_of_key(token)
    request.response_headers |= allowance.headers()
