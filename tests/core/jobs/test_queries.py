"""Poll and list, on a real DynamoDB."""

from datetime import timedelta

import pytest

from snapforge.aws import tables
from snapforge.aws.tables import org_pk
from snapforge.jobs import schemas, store
from snapforge.jobs.domain.lifecycle import JobState
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import settlement
from snapforge.kit import clock
from snapforge.kit.page import InvalidCursor
from tests.core.jobs.captures import counted
from tests.core.jobs.engine import Engine


@pytest.mark.part("JOB-5")
class TestReading:
    def test_a_read_is_one_call_with_or_without_progress(self, engine: Engine) -> None:
        who = engine.customer()
        job = engine.order(who)
        engine.working(who, job)
        with counted() as calls:
            assert queries.get_job(who, job.id).progress.percent == 10
        assert calls == ["Query"]
        with counted() as calls:
            queries.list_jobs(who, schemas.JobsQuery())
        assert calls == ["Query"]

    def test_lists_are_newest_first_with_progress_and_pages(self, engine: Engine) -> None:
        who = engine.customer()
        made = [engine.order(who, prompt=f"picture {number}") for number in range(5)]
        engine.working(who, made[3])
        seen: list[schemas.JobSummary] = []
        cursor = None
        while True:
            page = queries.list_jobs(who, schemas.JobsQuery(limit=2, cursor=cursor))
            seen += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        assert [job.id for job in seen] == [job.id for job in reversed(made)]
        assert [job.progress.percent for job in seen] == [0, 10, 0, 0, 0]

    def test_filters_find_by_kind_and_state(self, engine: Engine) -> None:
        who = engine.customer()
        first, second = engine.order(who), engine.order(who)
        settlement.cancel_job(who, first.id)
        found = queries.list_jobs(who, schemas.JobsQuery(state=JobState.canceled))
        assert [job.id for job in found.items] == [first.id]
        assert [job.id for job in queries.list_jobs(who, schemas.JobsQuery(state=JobState.queued)).items] == [second.id]
        assert queries.list_jobs(who, schemas.JobsQuery(kind="scene")).items == []
        assert len(queries.list_jobs(who, schemas.JobsQuery(kind="image")).items) == 2

    def test_a_filtered_page_has_a_budget_and_goes_on_from_its_cursor(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("snapforge.jobs.service.queries.BUDGET", 2)
        who = engine.customer()
        made = [engine.order(who) for _ in range(3)]
        settlement.cancel_job(who, made[0].id)
        page = queries.list_jobs(who, schemas.JobsQuery(state=JobState.canceled))
        assert page.items == []
        assert page.next_cursor is not None
        page = queries.list_jobs(who, schemas.JobsQuery(state=JobState.canceled, cursor=page.next_cursor))
        assert [job.id for job in page.items] == [made[0].id]
        assert page.next_cursor is None

    def test_a_cursor_of_somebody_else_reaches_nothing(self, engine: Engine) -> None:
        who, stranger = engine.customer(), engine.customer()
        for _ in range(2):
            engine.order(who)
        cursor = queries.list_jobs(who, schemas.JobsQuery(limit=1)).next_cursor
        assert queries.list_jobs(stranger, schemas.JobsQuery(cursor=cursor)).items == []
        with pytest.raises(InvalidCursor):
            queries.list_jobs(who, schemas.JobsQuery(cursor="bm90LW91cnM"))

    def test_links_are_the_same_within_their_half_hour(self, engine: Engine) -> None:
        who = engine.customer()
        job = engine.order(who)
        batch_id = engine.working(who, job)
        engine.done(job, batch_id)
        heard = engine.heard(job)
        assert heard is not None
        engine.settle(who, job, heard)
        first, second = queries.get_job(who, job.id), queries.get_job(who, job.id)
        assert first.model_dump_json() == second.model_dump_json()
        assert first.results is not None
        assert first.results.files[0].expires_at >= clock.now() + timedelta(minutes=59)

    def test_a_progress_item_of_an_ended_run_is_gone(self, engine: Engine) -> None:
        who = engine.customer()
        job = engine.order(who)
        engine.working(who, job)
        settlement.cancel_job(who, job.id)
        assert tables.find(store.ProgressRow, org_pk(who.org_id), store.progress_sk(job.id)) is None
