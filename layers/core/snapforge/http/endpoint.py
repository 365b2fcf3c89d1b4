"""The `endpoint` decorator: an API Gateway route as a plain typed function.

    @endpoint("GET /v1/jobs/{job_id}", permission=Permission.jobs_read, raises=(JobNotFound,))
    def handler(principal: Principal, job_id: str) -> Job: ...

The decorated name is the Lambda handler. A request passes a fixed list of steps (`STEPS`, a file each in `steps/`);
each raises a Problem or adds what it found. A new concern of all endpoints is a new step, never a branching keyword.

There is one route per function, so no router runs here: API Gateway has chosen already.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, get_type_hints

from snapforge.http import answer, observe, signature
from snapforge.http.request import Request
from snapforge.http.steps import address, arguments, authenticate, authorize, edge, idempotency, throttle
from snapforge.kit.errors import Problem
from snapforge.kit.permissions import Permission

Event = dict[str, Any]
STEPS = (
    edge.refuse_strangers,
    authenticate.resolve_principal,
    authorize.check_permission,
    throttle.count_session,
    address.give_origin,
    arguments.read,
    idempotency.read_key,
)


@dataclass(eq=False)
class Endpoint:
    """A route and all that is true of it; calling it serves one event."""

    method: str
    path: str
    function: Callable[..., Any]
    permission: Permission | None
    idempotent: bool
    raises: tuple[type[Problem], ...]
    status: int
    also: tuple[int, ...]
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.function.__module__.rpartition(".")[2]

    @cached_property
    def signature(self) -> "signature.Signature":
        """The handler's parameters, by where they come from."""
        return signature.read(self.function, re.findall(r"{(\w+)}", self.path))

    @cached_property
    def returns(self) -> Any:
        """The annotated answer."""
        return get_type_hints(self.function, include_extras=True).get("return")

    def __call__(self, event: Event, context: object) -> Event:
        """Serve one API Gateway payload 2.0 event; every outcome is an HTTP answer."""
        request = Request(event)
        with observe.request(self, request, context) as seen:
            answered = answer.protected(self, request, self._serve)
            seen.status = answered["statusCode"]
        return answered

    def _serve(self, request: Request) -> Event:
        for step in STEPS:
            step(self, request)
        return answer.write(self, request, self.function(**request.arguments))


def endpoint(
    route: str,
    *,
    permission: Permission | None = None,
    public: bool = False,
    idempotent: bool = False,
    raises: tuple[type[Problem], ...] = (),
    status: int = 200,
    also: tuple[int, ...] = (),
) -> Callable[[Callable[..., Any]], Endpoint]:
    """Make a function the Lambda handler of `route` (`"POST /v1/jobs"`).

    permission: what the principal needs. An open route must say `public=True` instead (ValueError otherwise).
    idempotent: the header Idempotency-Key is required, and the handler takes it as `key: IdempotencyKey`.
    raises: the Problems a client can meet here, beyond those of every endpoint.
    status: the usual answer, for the OpenAPI document; `also`: other statuses with the same body.
    """
    if (permission is None) != public:
        raise ValueError(f"{route}: say either permission=… or public=True")
    method, _, path = route.partition(" ")

    def decorate(function: Callable[..., Any]) -> Endpoint:
        return Endpoint(method, path, function, permission, idempotent, raises, status, also)

    return decorate
