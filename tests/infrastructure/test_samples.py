"""Sample events are derived: each is what its function's trigger reads, and a file that is not derived is drift."""

import inspect
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infrastructure.tools import openapi, samples
from infrastructure.tools.functions import ROOT, handlers
from snapforge.assets import events as assets
from snapforge.billing import events as billing
from snapforge.contracts.base import EXAMPLE_JOB
from snapforge.http import Body, RawBody
from snapforge.identity import domain
from snapforge.identity import events as identity
from snapforge.jobs import events as jobs
from snapforge.kit import ids
from snapforge.kit.errors import Problem
from snapforge.kit.events import Event
from snapforge.kit.schema import Schema
from snapforge.triggers import event, function_url, queue
from snapforge.triggers.base import MessageTrigger
from snapforge.triggers.event import BusEvent
from snapforge.triggers.step import Invoked

HANDLERS = handlers()


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi.build()


class Message(Schema):
    """A toy queue's."""

    number: int


class TestSamples:
    @pytest.mark.parametrize("place", HANDLERS)
    def test_its_payload_fits_its_schema(self, place: str, document: dict[str, Any]) -> None:
        """HTTP samples are served by tests/functions/test_every_route.py; here are the others."""
        handler = HANDLERS[place]
        made = samples.sample(handler, document)
        if isinstance(handler, BusEvent) and handler.queue is None:
            assert handler.read(json.dumps(made))
        elif isinstance(handler, MessageTrigger):
            assert [handler.read(record["body"]) for record in made["Records"]]
        elif isinstance(handler, Invoked):
            assert handler.payload.model_validate(made)

    def test_a_new_consumer_needs_none_by_hand(self, document: dict[str, Any]) -> None:
        @queue("toys", Message)
        def handler(message: Message) -> None: ...

        (record,) = samples.sample(handler, document)["Records"]
        assert (handler.read(record["body"]), record["eventSourceARN"].rpartition(":")[2]) == (
            Message(number=1),
            "snapforge-dev-toys",
        )

    def test_a_new_webhook_neither(self, document: dict[str, Any]) -> None:
        @function_url(verify=lambda body, headers: None, raises=(Problem,))
        def handler(body: Body[Message]) -> None: ...

        @function_url(verify=lambda body, headers: None)
        def raw(body: RawBody) -> None: ...

        assert samples.sample(handler, document)["body"] == '{"number": 1}'
        assert samples.sample(raw, document)["requestContext"]["http"]["method"] == "POST"

    def test_an_event_without_an_example_is_named(self, document: dict[str, Any]) -> None:
        @event("toy.broken")
        def handler(happened: Event) -> None: ...

        with pytest.raises(LookupError, match=r"toy\.broken"):
            samples.sample(handler, document)

    def test_what_is_no_trigger_is_refused(self, document: dict[str, Any]) -> None:
        with pytest.raises(TypeError, match="what it is sent"):
            samples.sample(object(), document)

    def test_the_cookie_is_one_that_identity_reads(self, document: dict[str, Any]) -> None:
        made = samples.sample(HANDLERS["identity/refresh_session"], document)
        name, _, value = made["cookies"][0].partition("=")
        assert name == domain.REFRESH_COOKIE
        assert domain.parse_refresh_token(value) is not None


class TestDrift:
    def test_it_names_what_is_missing_changed_and_left_over(self, tmp_path: Path) -> None:
        events = tmp_path / "events" / "toys"
        events.mkdir(parents=True)
        (events / "same.json").write_text("same")
        (events / "changed.json").write_text("by hand")
        (events / "gone.json").write_text("its function was removed")
        made = {f"events/toys/{name}.json": name for name in ("same", "changed", "new")}
        assert openapi.drift(tmp_path, made) == {
            "events/toys/changed.json": "changed",
            "events/toys/new.json": "new",
            "events/toys/gone.json": None,
        }

    def test_there_is_none(self) -> None:
        assert list(openapi.drift(ROOT, openapi.derived())) == []


class TestExamplesOfEvents:
    """EXAMPLES of a context shows what its events hold."""

    def test_they_hold_what_is_told(self) -> None:
        """By the functions that make the events of plain values."""
        shown = identity.EXAMPLES | assets.EXAMPLES | jobs.EXAMPLES
        told = set()
        for module in (identity, assets, jobs):
            for _, make in inspect.getmembers(module, inspect.isfunction):
                names = inspect.signature(make).parameters.keys() - {"org_id"}
                kinds = [kind for kind, data in shown.items() if data.keys() == names]
                told |= {kind for kind in kinds if make(org_id="org", **shown[kind]).data == shown[kind]}
        assert told >= identity.EXAMPLES.keys() | assets.EXAMPLES.keys() | {jobs.PREFLIGHT_ASKED}

    @pytest.mark.parametrize("state", jobs.ENDED)
    def test_those_of_an_ended_job(self, state: str) -> None:
        example = jobs.EXAMPLES[jobs.ENDED[state]]
        results = SimpleNamespace(files=[], preview=None, notes=[]) if "files" in example else None
        failure = SimpleNamespace(model_dump=lambda **_: example["failure"]) if "failure" in example else None
        kept = {"id": ids.example("job"), "org_id": ids.example("org"), "kind": "image", "state": state, "credits": 2}
        job: Any = SimpleNamespace(
            **kept,
            run=1,
            attempt=1,
            created_by=ids.example("user"),
            charged=example["charged"],
            parameters=SimpleNamespace(kind="image"),
            results=results,
            failure=failure,
        )
        told = jobs.ended(job)
        assert told.data.keys() == example.keys()
        assert (told.data["charged"], told.data["released"]) == (example["charged"], example["released"])

    def test_that_of_a_started_one(self) -> None:
        job: Any = SimpleNamespace(id=ids.example("job"), org_id=ids.example("org"), run=1)
        assert jobs.started(job).data == jobs.EXAMPLES[jobs.SUBMITTED]

    def test_billing_shows_its_own(self) -> None:
        """tests/core/billing/test_service.py holds it against a grant."""
        assert billing.EXAMPLES.keys() == {billing.GRANTED, billing.EXPIRED}

    def test_workers_job_is_the_same_as_everywhere(self) -> None:
        assert ids.example("job") == EXAMPLE_JOB
