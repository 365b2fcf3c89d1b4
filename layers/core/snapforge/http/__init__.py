"""What stands between API Gateway and a service call. Endpoints import from here only."""

from snapforge.aws.idempotency import IdempotencyKey
from snapforge.http.endpoint import endpoint
from snapforge.http.reply import Reply, accepted, created, reply
from snapforge.http.request import Body, Origin, Query
from snapforge.kit.permissions import Permission, Principal

__all__ = [
    "Body",
    "IdempotencyKey",
    "Origin",
    "Permission",
    "Principal",
    "Query",
    "Reply",
    "accepted",
    "created",
    "endpoint",
    "reply",
]
