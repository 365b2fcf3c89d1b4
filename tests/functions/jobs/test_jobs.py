"""The endpoints of jobs, as API Gateway calls them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from snapforge.billing.service import ledger
from snapforge.jobs import schemas
from snapforge.kit import ids
from tests.core.jobs.engine import Engine
from tests.functions.jobs.conftest import Customer
from tests.support.http import Answer, LambdaContext, call, load

EVENTS = Path(__file__).parents[3] / "events" / "jobs"
IMAGE = {"kind": "image", "prompt": "a kingfisher", "count": 2}


def sample(name: str) -> Any:
    """The committed sample event of a function."""
    return json.loads((EVENTS / f"{name}.json").read_text())


def invoke(name: str, event: dict[str, Any]) -> Any:
    """Call a function that no HTTP client calls."""
    return load(f"jobs/{name}").handler(event, LambdaContext())


def order(customer: Customer, key: str = "a-key-of-a-client", **more: Any) -> Answer:
    return call("jobs/create_job", body=IMAGE | more, token=customer.token, key=key)


def succeed(engine: Engine, customer: Customer, job: schemas.Job) -> None:
    """Run a job to its end."""
    who = customer.principal
    batch_id = engine.working(who, job)
    engine.done(job, batch_id)
    heard = engine.heard(job)
    assert heard is not None
    engine.settle(who, job, heard)


def fail(engine: Engine, customer: Customer, job: schemas.Job) -> None:
    """Run a job to a failure of ours."""
    who = customer.principal
    engine.failed(job, engine.working(who, job), "bug")
    engine.settle(who, job, engine.classify(who, job, engine.heard(job)).outcome)


@pytest.mark.part("JOB-3")
class TestCreateJob:
    def test_it_answers_201_with_the_jobs_address(self, customer: Customer) -> None:
        answer = order(customer)
        assert answer.status == 201
        assert answer.headers["location"] == f"/v1/jobs/{answer.json['id']}"
        assert (answer.json["state"], answer.json["price"]["held"]) == ("queued", 2)

    def test_the_same_request_is_replayed_byte_by_byte(self, customer: Customer) -> None:
        first, second = order(customer), order(customer)
        assert (second.status, second.text) == (201, first.text)
        assert second.headers["location"] == first.headers["location"]
        assert second.headers["idempotency-replayed"] == "true"
        assert ledger.balance(customer.principal.org_id).held == 2

    def test_another_body_under_the_key_is_422(self, customer: Customer) -> None:
        order(customer)
        answer = order(customer, count=3)
        assert (answer.status, answer.json["code"]) == (422, "idempotency_key_reused")

    def test_without_a_key_nothing_starts(self, customer: Customer) -> None:
        answer = call("jobs/create_job", body=IMAGE, token=customer.token)
        assert (answer.status, answer.json["code"]) == (400, "idempotency_key_needed")

    @pytest.mark.parametrize(
        ("more", "pointer"),
        [
            ({"prompt": ""}, "/prompt"),
            ({"prompt": "x" * 2001}, "/prompt"),
            ({"count": 17}, "/count"),
            ({"width": 100, "height": 64}, "/width"),
            ({"steps": 0}, "/steps"),
            ({"colour": "red"}, "/colour"),
            ({"kind": "video"}, ""),
        ],
    )
    def test_what_cannot_be_made_is_422_and_says_where(
        self, customer: Customer, more: dict[str, Any], pointer: str
    ) -> None:
        answer = order(customer, **more)
        assert answer.status == 422
        assert answer.json["errors"][0]["pointer"] == pointer

    def test_too_few_credits_are_402_with_the_shortfall(self, customer: Customer) -> None:
        answer = order(customer, width=2048, height=2048, steps=50, count=16)
        assert (answer.status, answer.json["code"]) == (402, "insufficient_credits")
        assert (answer.json["shortfall"], answer.json["top_up"]) == (700, "/billing")

    def test_an_unknown_capture_is_404(self, customer: Customer) -> None:
        body = {"kind": "scene", "capture_id": ids.new("capture")}
        answer = call("jobs/create_job", body=body, token=customer.token, key="a-key-of-a-client")
        assert (answer.status, answer.json["code"]) == (404, "capture_not_found")


@pytest.mark.part("JOB-2")
class TestPreviewJob:
    def test_a_quote_is_honoured(self, customer: Customer) -> None:
        preview = call("jobs/preview_job", body=IMAGE, token=customer.token)
        assert (preview.status, preview.json["credits"], preview.json["can_start"]) == (200, 2, True)
        made = order(customer, quote=preview.json["quote"])
        assert made.json["price"]["quoted"]
        assert not order(customer, key="another-key", quote="nonsense").json["price"]["quoted"]

    def test_a_preview_under_way_is_202_and_polled(self, customer: Customer) -> None:
        from tests.core.jobs.captures import capture

        body = {"kind": "scene", "capture_id": capture(customer.principal, pending=1)}
        preview = call("jobs/preview_job", body=body, token=customer.token)
        assert (preview.status, preview.json["status"]) == (202, "checking")
        assert preview.headers["location"] == f"/v1/jobs/previews/{preview.json['id']}"
        again = call("jobs/get_preview", path={"preview_id": preview.json["id"]}, token=customer.token)
        assert (again.status, again.json["id"]) == (202, preview.json["id"])

    def test_an_unknown_preview_is_404(self, customer: Customer) -> None:
        answer = call("jobs/get_preview", path={"preview_id": ids.new("preview")}, token=customer.token)
        assert (answer.status, answer.json["code"]) == (404, "preview_not_found")


@pytest.mark.part("JOB-5")
class TestGetJob:
    def test_a_poller_that_has_this_state_gets_304(self, customer: Customer, engine: Engine) -> None:
        job = schemas.Job.model_validate_json(order(customer).text)
        first = call("jobs/get_job", path={"job_id": job.id}, token=customer.token)
        asked = {"if-none-match": first.headers["etag"]}
        assert call("jobs/get_job", path={"job_id": job.id}, token=customer.token, headers=asked).status == 304
        engine.working(customer.principal, job)
        again = call("jobs/get_job", path={"job_id": job.id}, token=customer.token, headers=asked)
        assert (again.status, again.json["progress"]["percent"]) == (200, 10)
        asked = {"if-none-match": again.headers["etag"]}
        assert call("jobs/get_job", path={"job_id": job.id}, token=customer.token, headers=asked).status == 304

    def test_what_has_succeeded_has_links_and_a_receipt(self, customer: Customer, engine: Engine) -> None:
        job = schemas.Job.model_validate_json(order(customer).text)
        succeed(engine, customer, job)
        answer = call("jobs/get_job", path={"job_id": job.id}, token=customer.token)
        seen = answer.json
        assert (seen["state"], seen["progress"]["percent"], seen["price"]["charged"]) == ("succeeded", 100, 2)
        assert seen["results"]["files"][0]["url"].startswith("http")
        assert "key" not in seen["results"]["files"][0]
        assert seen["receipt"]["credits"] == 2
        asked = {"if-none-match": answer.headers["etag"]}
        assert call("jobs/get_job", path={"job_id": job.id}, token=customer.token, headers=asked).status == 304

    def test_an_unknown_job_is_404(self, customer: Customer) -> None:
        answer = call("jobs/get_job", path={"job_id": "job_"}, token=customer.token)
        assert (answer.status, answer.json["code"]) == (404, "job_not_found")


@pytest.mark.part("JOB-5")
class TestListJobs:
    def test_pages_and_filters(self, customer: Customer) -> None:
        made = [order(customer, key=f"key-number-{number}").json["id"] for number in range(3)]
        page = call("jobs/list_jobs", query={"limit": 2, "kind": "image", "state": "queued"}, token=customer.token)
        assert [job["id"] for job in page.json["items"]] == [made[2], made[1]]
        rest = call("jobs/list_jobs", query={"cursor": page.json["next_cursor"]}, token=customer.token)
        assert [job["id"] for job in rest.json["items"]] == [made[0]]
        assert "next_cursor" not in rest.json

    @pytest.mark.parametrize(
        "query", [{"state": "asleep"}, {"limit": 0}, {"limit": 101}, {"cursor": "!"}, {"kind": "film"}]
    )
    def test_a_query_that_does_not_fit_is_400(self, customer: Customer, query: dict[str, Any]) -> None:
        assert call("jobs/list_jobs", query=query, token=customer.token).status == 400


@pytest.mark.part("JOB-5")
class TestCancelAndRetry:
    def test_canceled_twice_and_run_again(self, customer: Customer) -> None:
        job_id = order(customer).json["id"]
        for _ in range(2):
            answer = call("jobs/cancel_job", path={"job_id": job_id}, token=customer.token)
            assert (answer.status, answer.json["state"], answer.json["price"]["charged"]) == (200, "canceled", 0)
        again = call("jobs/retry_job", path={"job_id": job_id}, token=customer.token, key="run-it-again")
        assert (again.status, again.json["run"], again.json["state"]) == (200, 2, "queued")
        replayed = call("jobs/retry_job", path={"job_id": job_id}, token=customer.token, key="run-it-again")
        assert replayed.text == again.text
        refused = call("jobs/retry_job", path={"job_id": job_id}, token=customer.token, key="and-once-more")
        assert (refused.status, refused.json["code"]) == (409, "job_not_retryable")

    @pytest.mark.parametrize(("end", "charged"), [(succeed, 2), (fail, 0)])
    def test_what_has_ended_cannot_be_canceled(
        self, customer: Customer, engine: Engine, end: Callable[[Engine, Customer, schemas.Job], None], charged: int
    ) -> None:
        job = schemas.Job.model_validate_json(order(customer).text)
        end(engine, customer, job)
        answer = call("jobs/cancel_job", path={"job_id": job.id}, token=customer.token)
        assert (answer.status, answer.json["code"], answer.json["charged"]) == (409, "job_already_ended", charged)

    @pytest.mark.parametrize("reached", ["queued", "running", "succeeded"])
    def test_what_is_under_way_or_succeeded_cannot_be_retried(
        self, customer: Customer, engine: Engine, reached: str
    ) -> None:
        job = schemas.Job.model_validate_json(order(customer).text)
        if reached == "running":
            engine.working(customer.principal, job)
        elif reached == "succeeded":
            succeed(engine, customer, job)
        answer = call("jobs/retry_job", path={"job_id": job.id}, token=customer.token, key="run-it-again")
        assert (answer.status, answer.json["code"]) == (409, "job_not_retryable")


@pytest.mark.part("JOB-4")
class TestConsumers:
    """The functions that no customer calls, by their sample events and by what they pass on."""

    def test_steps_of_a_job_that_is_not_there_end(self, engine: Engine) -> None:
        assert invoke("check_job", sample("check_job"))["next"] == "end"
        assert invoke("dispatch_job", sample("dispatch_job")) is None
        assert invoke("classify_failure", sample("classify_failure"))["next"] == "end"
        assert invoke("settle_job", sample("settle_job")) == {"state": "gone"}

    def test_messages_about_jobs_that_are_not_there_are_done(self, engine: Engine) -> None:
        assert invoke("on_report", sample("on_report")) == {"batchItemFailures": []}
        assert invoke("on_batch_state", sample("on_batch_state")) == {"batchItemFailures": []}
        assert invoke("on_dead_ticket", sample("on_dead_ticket")) == {"batchItemFailures": []}

    @pytest.mark.part("JOB-6")
    def test_the_keeper_tells_how_many_workers_it_started(self, engine: Engine) -> None:
        assert invoke("keep_workers", sample("keep_workers"))["started"] >= 0
        assert invoke("on_worker_ended", sample("on_worker_ended"))["started"] >= 0

    def test_what_is_no_ticket_is_delivered_again_alone(self, engine: Engine) -> None:
        dead = sample("on_dead_ticket")["Records"][0] | {"messageId": "bad", "body": "{}"}
        assert invoke("on_dead_ticket", {"Records": [dead]}) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}

    def test_a_message_that_is_no_report_is_delivered_again_alone(self, engine: Engine) -> None:
        good = sample("on_report")["Records"][0]
        bad = good | {"messageId": "bad", "body": "{}"}
        answer = invoke("on_report", {"Records": [bad, good]})
        assert answer == {"batchItemFailures": [{"itemIdentifier": "bad"}]}

    def test_news_of_a_submitted_job_starts_its_workflow(self, engine: Engine) -> None:
        event = sample("publish_jobs_outbox")
        job_id = ids.new("job")
        image = event["Records"][0]["dynamodb"]["NewImage"]
        image["event"]["S"] = image["event"]["S"].replace(ids.example("job"), job_id)
        for _ in range(2):
            assert invoke("publish_jobs_outbox", event) == {"batchItemFailures": []}
        assert engine.token(job_id)

    def test_the_whole_way_through_the_handlers(self, engine: Engine, customer: Customer) -> None:
        """As the state machine calls them."""
        job = schemas.Job.model_validate_json(order(customer).text)
        run = {"org_id": customer.principal.org_id, "job_id": job.id, "run": 1}
        checked = invoke("check_job", run)
        token = engine.start(customer.principal, job)
        invoke("dispatch_job", run | {"attempt": checked["attempt"], "task_token": token})
        engine.done(job, engine.claim(job))
        heard = engine.heard(job)
        assert heard is not None
        answer = invoke("settle_job", run | {"attempt": 1, "outcome": heard.model_dump(mode="json")})
        assert answer == {"state": "succeeded"}
        assert ledger.balance(customer.principal.org_id).available == 98

    @pytest.mark.part("JOB-11")
    def test_a_sweep_tells_how_many_it_looked_at(self, engine: Engine) -> None:
        assert invoke("sweep_jobs", sample("sweep_jobs"))["looked"] >= 0
