"""How a run ends, decided with plain values."""

import pytest

from snapforge.contracts.reports import FailureCategory
from snapforge.contracts.results import Result, ResultFile, Role, Usage
from snapforge.jobs.domain.failures import Failure
from snapforge.jobs.domain.lifecycle import FINAL, JobState
from snapforge.jobs.domain.pricing import Price
from snapforge.jobs.domain.requests import Kind
from snapforge.jobs.domain.settlement import CANCELED, decide
from snapforge.jobs.domain.workflow import Outcome
from snapforge.kit import clock

DONE = Outcome(outcome="done", result_uri="s3://b/runs/result.json")
PRICE = Price(credits=8, parts=4)


def left(*roles: Role) -> Result:
    """What an attempt left: a file of each role."""
    now = clock.now()
    return Result(
        job_id="job_1",
        run=1,
        attempt=1,
        engine="e",
        model="m",
        files=tuple(
            ResultFile(name=f"{n}", role=role, media_type="image/png", bytes=1, sha256="0" * 64)
            for n, role in enumerate(roles)
        ),
        usage=Usage(started_at=now, ended_at=now, compute_seconds=1, device="cpu", instance_type="local"),
    )


def failed(category: FailureCategory) -> Outcome:
    """An attempt that gave up."""
    failure = Failure(category=category, code="it_broke", message="It broke.", result_uri="s3://b/runs/partial.json")
    return Outcome(outcome="failed", failure=failure)


@pytest.mark.part("JOB-3")
class TestSuccess:
    @pytest.mark.parametrize(("pictures", "charged"), [(1, 2), (3, 6), (4, 8), (5, 8)])
    def test_pictures_are_charged_by_those_delivered_and_never_beyond_the_hold(
        self, pictures: int, charged: int
    ) -> None:
        roles: list[Role] = ["picture"] * pictures
        end = decide(DONE, left(*roles, "preview"), kind="image", price=PRICE)
        assert (end.state, end.failure, end.charged) == (JobState.succeeded, None, charged)
        assert len(end.files) == pictures + 1

    @pytest.mark.parametrize(("kind", "role"), [("scene", "model_glb"), ("lora", "adapter"), ("image", "picture")])
    def test_each_kind_is_paid_for_its_own_product(self, kind: Kind, role: Role) -> None:
        assert decide(DONE, left(role), kind=kind, price=Price(5, 1)).charged == 5

    def test_an_adapter_becomes_no_asset(self) -> None:
        end = decide(DONE, left("adapter", "preview"), kind="lora", price=Price(5, 1))
        assert [file.role for file in end.files] == ["preview"]


@pytest.mark.part("JOB-4")
class TestFailure:
    @pytest.mark.parametrize(
        ("result", "code"),
        [(None, "result_unreadable"), (left(), "nothing_delivered"), (left("report"), "nothing_delivered")],
    )
    def test_a_success_without_its_product_is_a_failure_of_ours_and_free(
        self, result: Result | None, code: str
    ) -> None:
        end = decide(DONE, result, kind="scene", price=Price(26, 1))
        assert end.failure is not None
        assert (end.state, end.failure.code, end.failure.category) == (JobState.failed, code, FailureCategory.bug)
        assert (end.charged, end.files, end.result) == (0, (), result)

    @pytest.mark.parametrize("category", list(FailureCategory))
    def test_a_failure_is_free_and_only_too_little_quality_gives_what_there_is(self, category: FailureCategory) -> None:
        partial = left("picture", "adapter")
        end = decide(failed(category), partial, kind="image", price=PRICE)
        assert end.failure is not None
        assert (end.state, end.failure.category, end.charged, end.result) == (JobState.failed, category, 0, partial)
        given = category is FailureCategory.insufficient_quality
        assert [file.role for file in end.files] == (["picture"] if given else [])

    def test_too_little_quality_with_nothing_left_gives_nothing(self) -> None:
        assert decide(failed(FailureCategory.insufficient_quality), None, kind="scene", price=PRICE).files == ()

    @pytest.mark.parametrize("outcome", [Outcome(outcome="failed"), Outcome(outcome="done")])
    def test_an_outcome_that_explains_nothing_is_a_lost_workflow(self, outcome: Outcome) -> None:
        end = decide(outcome, left("picture"), kind="image", price=PRICE)
        assert end.failure is not None
        assert (end.failure.code, end.charged) == ("workflow_lost", 0)


def test_a_cancel_is_an_end_without_failure_and_free() -> None:
    assert CANCELED.state in FINAL
    assert (CANCELED.failure, CANCELED.charged, CANCELED.files) == (None, 0, ())
