"""What stands between API Gateway and a service call. Endpoints import from here only."""

from snapforge.aws.idempotency import IdempotencyKey
from snapforge.http.endpoint import endpoint
from snapforge.http.request import Body, ClientInfo, Query, RawBody
from snapforge.http.response import Response, accepted, created, respond
from snapforge.kit.permissions import Permission, Principal

__all__ = [
    "Body",
    "ClientInfo",
    "IdempotencyKey",
    "Permission",
    "Principal",
    "Query",
    "RawBody",
    "Response",
    "accepted",
    "created",
    "endpoint",
    "respond",
]
