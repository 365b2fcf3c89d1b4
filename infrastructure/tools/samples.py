"""Sample events: events/<context>/<function>.json, what AWS sends to each function.

What calls a function stands over its handler, and what it is sent is the example of its schema: nothing is written here
for one function. `python -m infrastructure.tools.openapi` writes the files, beside what else is derived.
"""

import importlib
import importlib.util
import json
import pkgutil
from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import TypeAdapter

import snapforge
from infrastructure.tools import envelopes
from infrastructure.tools.envelopes import Json
from infrastructure.tools.examples import example
from infrastructure.tools.functions import handlers
from snapforge.aws import outbox
from snapforge.http.endpoint import Endpoint
from snapforge.identity.domain import RefreshToken, refresh_cookie
from snapforge.kit import ids
from snapforge.kit.events import Event
from snapforge.triggers.event import OURS, BusEvent
from snapforge.triggers.function_url import FunctionUrl
from snapforge.triggers.queue import Queue
from snapforge.triggers.schedule import Schedule
from snapforge.triggers.step import Invoked
from snapforge.triggers.stream import Stream

_COOKIE = refresh_cookie(RefreshToken(ids.example("user"), ids.example("session"), "a" * 22, "b" * 43)).partition(";")[
    0
]


def files(document: Json) -> dict[str, str]:
    """Path to text, for every function of the repository. `document`: the OpenAPI document of its endpoints."""
    made = {}
    for place, handler in handlers().items():
        made[f"events/{place}.json"] = json.dumps(sample(handler, document), indent=2, ensure_ascii=False) + "\n"
    return made


def sample(handler: Any, document: Json) -> Json:
    """What its source sends to a handler. TypeError for a trigger that is not known here."""
    for kind, make in _MAKERS.items():
        if isinstance(handler, kind):
            return make(handler, document)
    raise TypeError(f"{type(handler).__name__}: say in infrastructure/tools/samples.py what it is sent")


def example_of(schema: Any) -> Any:
    """The example of a type or adapter."""
    adapter: TypeAdapter[Any] = schema if isinstance(schema, TypeAdapter) else TypeAdapter(schema)
    found = adapter.json_schema()
    return example(found, found.get("$defs", {}))


def _http(endpoint: Endpoint, document: Json) -> Json:
    """Asked as the web app asks: what a handler reads of its client (ClientInfo) is there, too."""
    operation = document["paths"][endpoint.path][endpoint.method.lower()]
    headers, cookies = {}, []
    if endpoint.permission is not None:
        headers["authorization"] = "Bearer sf_live_sample"
    if endpoint.signature.client is not None:
        headers["x-requested-with"] = "snapforge"
        cookies.append(_COOKIE)
    if endpoint.idempotent:
        headers["idempotency-key"] = "0f1b2c3d-sample-key"
    body = None
    if "requestBody" in operation:
        headers["content-type"] = "application/json"
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = json.dumps(example(schema, document["components"]["schemas"]), ensure_ascii=False)
    path, query = _parameters(operation, document)
    return envelopes.http(
        endpoint.method, endpoint.path, path=path, query=query, headers=headers, cookies=cookies, body=body
    )


def _parameters(operation: Json, document: Json) -> tuple[dict[str, str], dict[str, str]]:
    """Those of the path, and those of the query that are needed, have an example, or a default (which is then said)."""
    path, query = {}, {}
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        value = example(schema, document["components"]["schemas"])
        if parameter["in"] == "path":
            path[parameter["name"]] = str(value)
        elif parameter["in"] == "query":
            said = parameter["required"] or schema.get("examples") or schema.get("default") is not None
            if said:
                query[parameter["name"]] = value if isinstance(value, str) else json.dumps(value)
    return path, query


def _webhook(handler: FunctionUrl, _: Json) -> Json:
    body = example_of(handler.signature.body[1]) if handler.signature.body else {}
    return envelopes.function_url(json.dumps(body, ensure_ascii=False))


def _bus_event(handler: BusEvent, _: Json) -> Json:
    """The first of its types; through its queue, where one stands between."""
    kind = handler.types[0]
    if handler.source == OURS:
        made = envelopes.eventbridge(OURS, kind, _told(kind))
    else:
        made = envelopes.eventbridge(handler.source, kind, {}) | example_of(handler.schema)
    return made if handler.queue is None else envelopes.sqs(handler.queue, made)


def _told(kind: str) -> Json:
    """An event of the house, with the data that its context's events.py shows."""
    if kind not in event_data():
        raise LookupError(f"{kind}: EXAMPLES in its context's events.py shows no data of it")
    found: Json = example_of(Event)
    return found | {"type": kind, "data": event_data()[kind]}


@cache
def event_data() -> dict[str, Json]:
    """An example of each event's data."""
    found: dict[str, Json] = {}
    for context in pkgutil.iter_modules(snapforge.__path__):
        name = f"snapforge.{context.name}.events"
        if context.ispkg and importlib.util.find_spec(name):
            found |= getattr(importlib.import_module(name), "EXAMPLES", {})
    return found


def _outbox_row(table: str) -> Json:
    """The row in which the first example of a context's events waits: streams bring new outbox rows only."""
    first = next(iter(importlib.import_module(f"snapforge.{table}.events").EXAMPLES))
    row = importlib.import_module(f"snapforge.{table}.store").Outbox
    made: Json = outbox.row_of(row, Event.model_validate(_told(first))).serialize()
    return {name: made[name] for name in ("pk", "sk", *sorted(made.keys() - {"pk", "sk"}))}


_MAKERS: dict[type, Callable[[Any, Json], Json]] = {
    Endpoint: _http,
    FunctionUrl: _webhook,
    Queue: lambda handler, _: envelopes.sqs(handler.queue, example_of(handler.schema)),
    BusEvent: _bus_event,
    Stream: lambda handler, _: envelopes.dynamodb({table: _outbox_row(table) for table in handler.tables}),
    Schedule: lambda handler, _: envelopes.scheduler(handler.name.replace("_", "-")),
    Invoked: lambda handler, _: example_of(handler.payload),
}
"""What is sent to each kind of handler."""
