"""The `endpoint` decorator: an API Gateway route as a plain typed function.

    @endpoint("GET /v1/jobs/{job_id}", permission=Permission.jobs_read, raises=(JobNotFound,))
    def handler(principal: Principal, job_id: str) -> Job: ...

The decorated name is the Lambda handler. A request passes a fixed list of steps (`STEPS`, a file each in `steps/`);
each raises a Problem or adds what it found. A new concern of all endpoints is a new step, never a branching keyword.

There is one route per function, so no router runs here: API Gateway has chosen already.
"""

from collections.abc import Callable
from typing import Any

from snapforge.http.route import Route
from snapforge.http.serve import Event, serve
from snapforge.http.steps import arguments, authenticate, authorize, client_info, edge, idempotency, throttle
from snapforge.kit.errors import Problem
from snapforge.kit.permissions import Permission

STEPS = (
    edge.require_edge,
    authenticate.resolve_principal,
    authorize.check_permission,
    throttle.count_session,
    client_info.give_client_info,
    arguments.read,
    idempotency.read_key,
)


class Endpoint(Route):
    """A route as a Lambda handler: calling it serves one event."""

    def __call__(self, event: Event, context: object) -> Event:
        """Serve one API Gateway payload 2.0 event; every outcome is an HTTP response."""
        return serve(self, STEPS, event, context)


def endpoint(
    route: str,
    *,
    permission: Permission | None = None,
    public: bool = False,
    idempotent: bool = False,
    raises: tuple[type[Problem], ...] = (),
    status: int = 200,
    other_statuses: tuple[int, ...] = (),
) -> Callable[[Callable[..., Any]], Endpoint]:
    """Make a function the Lambda handler of `route` (`"POST /v1/jobs"`).

    permission: what the principal needs. An open route must say `public=True` instead (ValueError otherwise).
    idempotent: the header Idempotency-Key is required, and the handler takes it as `key: IdempotencyKey`.
    raises: the Problems a client can meet here, beyond those of every endpoint.
    status: the usual one, for the OpenAPI document; `other_statuses`: others with the same body.
    """
    if (permission is None) != public:
        raise ValueError(f"{route}: say either permission=… or public=True")
    method, _, path = route.partition(" ")

    def decorate(function: Callable[..., Any]) -> Endpoint:
        return Endpoint(method, path, function, permission, idempotent, raises, status, other_statuses)

    return decorate
