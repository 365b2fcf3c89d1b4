"""Health, live and deep. That all is well is seen on the whole region, by the end-to-end tests."""

import pytest

from snapforge.admin import service
from tests.support.aws import Aws
from tests.support.http import call

pytestmark = pytest.mark.part("ADM-4")


@pytest.fixture(autouse=True)
def _nothing_kept(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_last", None)


class TestLive:
    """GET /v1/health"""

    def test_it_answers_anybody_and_asks_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        answered = call("admin/get_health")
        assert (answered.status, answered.json["status"]) == (200, "ok")


class TestDeep:
    """GET /v1/health/deep"""

    def test_it_names_what_is_missing_with_503(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """All is there but the workflow, and the engine where no test has started one."""
        gone = "arn:aws:states:eu-central-1:000000000000:stateMachine:snapforge-gone"
        monkeypatch.setenv("STATE_MACHINE_ARN", gone)
        answered = call("admin/get_deep_health")
        assert answered.status == 503
        assert answered.json["status"] == "failed"
        checks = answered.json["checks"]
        assert checks["workflow"] == "failed"
        assert {name for name, state in checks.items() if state == "ok"} >= {"tables", "buckets", "queues", "mail"}

    @pytest.mark.parametrize(
        ("variable", "check"),
        [("TABLE_PREFIX", "tables"), ("ASSETS_BUCKET", "buckets"), ("REPORTS_QUEUE_URL", "queues")],
    )
    def test_each_check_fails_on_its_own(self, variable: str, check: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """One thing gone is one check failed."""
        before = call("admin/get_deep_health").json["checks"]
        monkeypatch.setattr(service, "_last", None)
        monkeypatch.setenv(variable, "snapforge-gone")
        after = call("admin/get_deep_health").json["checks"]
        assert {name for name in before if before[name] != after[name]} == {check}

    def test_the_answer_is_kept_for_a_while(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Asking often is no load: the probes run once."""
        asked: list[str] = []
        monkeypatch.setattr(service, "dependencies", lambda: {"one": lambda: asked.append("one")})
        first, second = call("admin/get_deep_health"), call("admin/get_deep_health")
        assert (first.json, asked) == (second.json, ["one"])

    def test_a_bug_in_a_probe_is_no_outage(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Only what AWS says counts as failed; our own error is a 500 that somebody hears of."""

        def broken() -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(service, "dependencies", lambda: {"one": broken})
        assert call("admin/get_deep_health").status == 500
