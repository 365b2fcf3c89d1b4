"""Where an attempt at pictures is drawn, decided without any I/O."""

from typing import Any

import pytest

from snapforge.jobs.domain import pictures, routing
from snapforge.jobs.domain.catalogue.images import IMAGE_MODELS
from snapforge.jobs.domain.catalogue.providers import SERVED, Served, served
from snapforge.jobs.domain.requests import ImageParameters, ImageRequest, LoraUse

TOGETHER, REPLICATE = "provider:together", "provider:replicate"
ALL = routing.routes("own,together,replicate")
KEYS = frozenset({"together", "replicate"})


def drawn(**more: Any) -> ImageParameters:
    order = ImageRequest(kind="image", **({"prompt": "a kingfisher", "model": "flux-schnell"} | more))
    return pictures.resolve(order, 5, tuple(IMAGE_MODELS))


def route(
    parameters: ImageParameters,
    *tried: str,
    allowed: tuple[str, ...] = ALL,
    configured: frozenset[str] = KEYS,
    cold: bool = False,
) -> str | None:
    return routing.choose(parameters, tried, allowed=allowed, configured=configured, cold=cold)


def at(provider: str, model: str = "flux-schnell") -> Served | None:
    return served(provider, model=model, width=1024, height=1024, steps=4)


@pytest.mark.part("JOB-7")
class TestRoutes:
    def test_the_first_route_of_the_setting_draws(self) -> None:
        assert route(drawn()) == "own"
        assert route(drawn(), allowed=routing.routes("replicate,own")) == REPLICATE

    def test_each_failed_attempt_takes_the_next_route_and_then_begins_again(self) -> None:
        assert route(drawn(), "own") == TOGETHER
        assert route(drawn(), "own", TOGETHER) == REPLICATE
        assert route(drawn(), "own", TOGETHER, REPLICATE) == "own"
        assert route(drawn(), "own", TOGETHER, REPLICATE, "own") == TOGETHER

    def test_a_provider_without_a_key_is_passed_over(self) -> None:
        assert route(drawn(), "own", configured=frozenset({"replicate"})) == REPLICATE
        assert route(drawn(), "own", configured=frozenset()) == "own"

    def test_a_provider_that_does_not_serve_the_model_is_passed_over(self) -> None:
        assert route(drawn(model="z-image-turbo"), "own") == REPLICATE
        assert route(drawn(model="snapforge-demo"), "own") == "own"

    def test_a_provider_that_cannot_draw_exactly_this_is_passed_over(self) -> None:
        assert route(drawn(steps=12), "own", TOGETHER) == "own"
        assert route(drawn(width=512, height=512), "own", TOGETHER) == "own"
        assert route(drawn(width=2048, height=512), "own") == "own"

    def test_nothing_that_is_allowed_is_told_as_none(self) -> None:
        assert route(drawn(), allowed=routing.routes("together"), configured=frozenset()) is None

    def test_while_the_fleet_is_cold_a_provider_comes_first(self) -> None:
        assert route(drawn(), cold=True) == TOGETHER
        assert route(drawn(), TOGETHER, cold=True) == REPLICATE
        assert route(drawn(), TOGETHER, cold=False) == "own"
        assert route(drawn(), TOGETHER, REPLICATE, cold=True) == "own"
        assert route(drawn(priority="rush"), cold=True) == TOGETHER
        assert route(drawn(), cold=True, configured=frozenset()) == "own"

    def test_an_orgs_own_weights_never_leave_the_house(self) -> None:
        """Not while the fleet is cold, nor after each failure, nor where nobody else may draw."""
        own = drawn().model_copy(update={"loras": (LoraUse(id="lra_1", version=1, weight=1.0),)})
        assert route(own, cold=True) == "own"
        assert route(own, "own", "own", cold=True) == "own"
        assert route(own, allowed=routing.routes("together,replicate")) is None

    def test_bulk_orders_wait_for_our_own_machines(self) -> None:
        assert route(drawn(priority="bulk"), cold=True) == "own"

    @pytest.mark.parametrize("setting", ["", "own,stability"])
    def test_an_operators_slip_is_told_with_the_names_there_are(self, setting: str) -> None:
        with pytest.raises(ValueError, match="own, huggingface, replicate, together"):
            routing.routes(setting)

    def test_a_route_names_its_provider(self) -> None:
        assert [routing.provider_of(one) for one in ALL] == [None, "together", "replicate"]


@pytest.mark.part("JOB-7", "JOB-12")
class TestServed:
    def test_every_model_says_who_serves_it(self) -> None:
        assert set(SERVED) == set(IMAGE_MODELS)

    def test_a_picture_costs_by_itself_or_by_its_megapixels_rounded_up(self) -> None:
        by_megapixel, by_picture = at("together"), at("replicate")
        assert by_megapixel is not None
        assert by_picture is not None
        assert by_megapixel.cost_micro_usd(1024, 1024) == 2832
        assert by_picture.cost_micro_usd(1024, 1024) == 3000

    def test_a_stranger_serves_nothing(self) -> None:
        assert at("stability") is None
        assert at("together", model="no-such-model") is None
