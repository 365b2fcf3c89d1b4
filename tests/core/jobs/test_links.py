"""Links of a job's results: good for an hour and at most the step of time that they are dated to."""

from datetime import timedelta

import pytest

from snapforge.assets import schemas as assets_schemas
from snapforge.assets.events import asset_created
from snapforge.assets.service import gallery, variants
from snapforge.aws import s3
from snapforge.jobs import schemas
from snapforge.jobs.domain.workflow import Outcome
from snapforge.jobs.service import queries
from snapforge.jobs.service.runs import attempts
from snapforge.loras.service import library
from tests.core.jobs.engine import Engine, Made
from tests.core.jobs.trained import train
from tests.support import samples
from tests.support.links import FROZEN, ends, freeze

QUARTER = FROZEN.replace(hour=13, minute=15)
HALF = FROZEN.replace(hour=13, minute=30)


@pytest.mark.part("JOB-5", "AST-4")
class TestLinksEnd:
    """An hour from FROZEN is 13:01."""

    def test_those_of_a_job_and_of_a_list_on_the_next_half_hour(
        self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, job = made
        engine.working(who, job)
        engine.settle(who, job, Outcome(outcome="done", result_uri=engine.results(job)))
        freeze(monkeypatch)
        seen = queries.get_job(who, job.id)
        assert seen.results is not None
        assert {(ends(file.url), file.expires_at) for file in seen.results.files} == {(HALF, HALF)}
        (listed,) = queries.list_jobs(who, schemas.JobsQuery()).items
        assert (ends(seen.preview_url), ends(listed.preview_url)) == (HALF, HALF)

    def test_those_of_assets_and_their_variants_on_the_next_quarter(
        self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, job = made
        engine.working(who, job)
        uri = engine.results(job, pictures=1)
        s3.put(
            attempts.prefix_uri(job.id, 1, 1) + "picture-00.png", samples.encoded(samples.scene(), "PNG"), "image/png"
        )
        engine.settle(who, job, Outcome(outcome="done", result_uri=uri))
        (asset,) = gallery.list_job_assets(who.org_id, job.id)
        variants.make_variants(asset_created(who.org_id, job.id, [asset.id]))
        freeze(monkeypatch)
        (listed,) = gallery.list_assets(who, assets_schemas.AssetsQuery()).items
        for told in (listed, gallery.read_asset(who, asset.id)):
            assert len(told.variants) == 4
            assert {ends(link.url) for link in (told.original, *told.variants)} == {QUARTER}
            assert told.links_expire_at == QUARTER

    def test_that_of_a_loras_samples_on_the_next_quarter(self, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
        who = engine.customer()
        lora_id = train(engine, who)
        freeze(monkeypatch)
        (version,) = library.get_lora(who, lora_id).versions
        assert ends(version.samples_url) == QUARTER

    def test_on_the_step_itself_they_are_good_for_an_hour_and_no_more(
        self, engine: Engine, made: Made, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, job = made
        engine.working(who, job)
        engine.settle(who, job, Outcome(outcome="done", result_uri=engine.results(job)))
        monkeypatch.setattr("snapforge.kit.clock.now", lambda: FROZEN.replace(minute=30))
        assert ends(queries.get_job(who, job.id).preview_url) == FROZEN.replace(minute=30) + timedelta(hours=1)
