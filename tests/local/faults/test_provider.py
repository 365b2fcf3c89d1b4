"""Pictures that a provider draws, end to end: the customer's order, the queue, the function, the receipt."""

import json
from collections.abc import Iterator

import httpx
import pytest

from infrastructure.local.demo.client import ApiError
from infrastructure.local.region import Region
from tests.local.faults.scenario import Scenario
from tests.support.providers import KEY, Served, serving
from tests.support.region import until

ORDER = {"kind": "image", "prompt": "a kingfisher", "model": "flux-schnell", "count": 3, "seed": 40, "style": "ink"}
ORDER |= {"width": 256, "height": 192}


@pytest.fixture(scope="module")
def served(region: Region) -> Iterator[Served]:
    """Together's key in the secret, as an operator puts it; functions that have read it before begin anew."""

    def put(value: dict[str, dict[str, str]]) -> None:
        region.client("secretsmanager").put_secret_value(
            SecretId="snapforge/dev/providers", SecretString=json.dumps(value)
        )
        region.restart_functions_host()

    with serving() as running:
        put({"together": {"key": KEY, "url": f"{running.url}/together"}})
        yield running
        put({})


@pytest.mark.part("JOB-7", "JOB-8", "JOB-12")
class TestProvider:
    def test_an_order_is_drawn_copied_to_us_paid_and_accounted_for(self, scenario: Scenario, served: Served) -> None:
        job = scenario.settled(scenario.order(ORDER), "succeeded")
        scenario.balanced(job)
        assert job["results"]["engine"] == "provider:together"
        assert (job["parameters"]["prompt"], job["parameters"]["style"]) == ("a kingfisher", "ink")
        assert {asked.body["seed"] for asked in served.asked} == {40, 41, 42}
        assert all("ink drawing" in asked.body["prompt"] for asked in served.asked)
        assert job["receipt"]["providers"] == ["together"]
        assert job["receipt"]["cost_micro_usd"] == 3 * -(-2_700 * 256 * 192 // 1_000_000)
        # Nothing that a browser gets leads to the provider.
        assert served.url not in json.dumps(job)
        for file in job["results"]["files"]:
            assert b"the prompt stands here" not in httpx.get(file["url"], trust_env=False).content

    def test_their_refusal_is_told_and_costs_nothing(self, scenario: Scenario, served: Served) -> None:
        served.next("policy", 1)
        job = scenario.settled(scenario.order(ORDER | {"count": 1}), "failed")
        scenario.balanced(job)
        assert job["failure"]["code"] == "prompt_refused_by_provider"

    @pytest.mark.part("JOB-5")
    def test_a_cancel_drops_what_they_draw_and_its_cost_comes_onto_the_receipt(
        self, scenario: Scenario, served: Served, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Together has no call that stops a picture: it comes, after the function has seen the cancel."""
        monkeypatch.setattr(served, "pause", 12.0)
        job_id = scenario.order(ORDER | {"count": 1})
        scenario.when(job_id, "draw")
        scenario.api.call("cancel_job", job_id=job_id)
        scenario.balanced(scenario.settled(job_id, "canceled"))
        until(lambda: scenario.job(job_id)["receipt"]["providers"] == ["together"], seconds=60, every=0.5)
        job = scenario.job(job_id)
        assert job["receipt"]["cost_micro_usd"] == -(-2_700 * 256 * 192 // 1_000_000)
        assert not {name for name in scenario.left_in_s3(job_id) if name.startswith("picture")}
        scenario.balanced(job)

    def test_a_prompt_that_breaks_our_rules_never_reaches_them(self, scenario: Scenario, served: Served) -> None:
        before = len(served.asked)
        with pytest.raises(ApiError) as refused:
            scenario.order(ORDER | {"prompt": "heil hitler"})
        assert refused.value.code == "prompt_refused"
        assert len(served.asked) == before
        scenario.balanced()
