"""GET /v1/catalogue, and orders held against it."""

from typing import Any

import pytest

from snapforge.billing.service import ledger
from snapforge.kit import ids
from tests.support.aws import Aws
from tests.support.http import Answer, call
from tests.support.members import Person
from tests.support.people import verified


@pytest.fixture(scope="module")
def somebody(aws: Aws) -> Person:
    """A member with credits."""
    del aws
    # Not the one whom the tests of every route log out.
    opened = verified().opened.body
    person = Person(opened.org_id, opened.access_token)
    ledger.grant(person.org_id, credits=500, kind="admin", key=f"test:{ids.new('event')}", memo="test")
    return person


def order(person: Person, **more: Any) -> Answer:
    body = {"kind": "image", "prompt": "a kingfisher"} | more
    return call("jobs/create_job", body=body, token=person.token, key=ids.new("event"))


@pytest.mark.part("JOB-8")
class TestCatalogue:
    def test_anybody_sees_models_styles_presets_and_prices(self, aws: Aws) -> None:
        del aws
        answer = call("jobs/get_catalogue")
        assert answer.status == 200
        told = answer.json
        assert [model["id"] for model in told["models"]] == [
            "flux-schnell",
            "flux2-klein",
            "z-image-turbo",
            "snapforge-demo",
        ]
        first = told["models"][0]
        assert (first["default"], first["licence"], first["credits"]) == (True, "Apache-2.0", 1)
        assert first["sizes"]["3:2"] == {"width": 1216, "height": 832}
        assert len(told["styles"]) >= 12
        assert {preset["id"] for preset in told["presets"]} >= {"draft", "standard"}
        assert {one["id"]: one["price_factor"] for one in told["priorities"]}["rush"] == 2

    def test_only_what_the_operator_offers_is_in_it(self, aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
        del aws
        monkeypatch.setenv("IMAGE_MODELS", "snapforge-demo")
        assert [model["id"] for model in call("jobs/get_catalogue").json["models"]] == ["snapforge-demo"]

    def test_every_suggestion_can_be_previewed_at_every_aspect(self, somebody: Person) -> None:
        told = call("jobs/get_catalogue").json
        for model in told["models"]:
            for aspect in model["sizes"]:
                body = {"kind": "image", "prompt": model["examples"][0], "model": model["id"], "aspect": aspect}
                answer = call("jobs/preview_job", body=body, token=somebody.token)
                assert answer.status == 200, answer.text
        for style in told["styles"]:
            body = {"kind": "image", "prompt": style["examples"][0], "style": style["id"]}
            assert call("jobs/preview_job", body=body, token=somebody.token).json["can_start"]


@pytest.mark.part("JOB-8", "JOB-1")
class TestOrders:
    def test_a_model_that_is_not_offered_is_a_422_that_lists_those_that_are(
        self, somebody: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMAGE_MODELS", "flux-schnell,snapforge-demo")
        answer = order(somebody, model="z-image-turbo")
        assert (answer.status, answer.json["code"]) == (422, "model_not_offered")
        assert answer.json["offered"] == ["flux-schnell", "snapforge-demo"]
        assert answer.json["errors"][0]["pointer"] == "/model"

    def test_without_a_model_the_default_draws_with_its_own_numbers(
        self, somebody: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("IMAGE_MODELS", "snapforge-demo,flux-schnell")
        made = order(somebody, aspect="1:1", seed=7).json["parameters"]
        assert (made["model"], made["width"], made["seed"]) == ("snapforge-demo", 128, 7)

    @pytest.mark.parametrize(
        ("member_", "more"),
        [
            ("/width", {"model": "snapforge-demo", "width": 2048, "height": 128}),
            ("/style", {"style": "velvet"}),
            ("/count", {"count": 17}),
            ("/prompt", {"prompt": "x" * 20_000}),
        ],
    )
    def test_what_cannot_be_drawn_is_a_422_that_points_at_it(
        self, somebody: Person, member_: str, more: dict[str, Any]
    ) -> None:
        answer = order(somebody, **more)
        assert (answer.status, answer.json["code"]) == (422, "invalid_payload")
        assert answer.json["errors"][0]["pointer"] == member_

    def test_the_prompt_is_shown_as_it_was_asked_beside_its_style(self, somebody: Person) -> None:
        made = order(somebody, style="watercolour", count=16).json["parameters"]
        assert (made["prompt"], made["style"], made["count"]) == ("a kingfisher", "watercolour", 16)

    def test_a_refused_prompt_is_a_422_with_its_category(self, somebody: Person) -> None:
        answer = order(somebody, prompt="heil hitler")
        assert (answer.status, answer.json["code"], answer.json["category"]) == (422, "prompt_refused", "hate")
        assert (answer.json["charged"], answer.json["retryable"]) == (0, False)
