"""What can be ordered, what it costs, and what is told of it, decided without any I/O."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from pydantic import TypeAdapter, ValidationError

from snapforge.contracts.results import Usage
from snapforge.jobs.domain import pictures, preflight, pricing, quotes, receipts, trainings
from snapforge.jobs.domain.quotes import Quote
from snapforge.jobs.domain.requests import (
    MAX_SEED,
    ImageParameters,
    ImageRequest,
    LoraParameters,
    Preset,
    SceneParameters,
    SceneRequest,
    fingerprint,
)
from snapforge.jobs.schemas import ImageCreate, JobCreate

NOW = datetime(2026, 11, 21, 2, 20, tzinfo=UTC)
CAPTURE = "cap_01JD8Z4Q0V4S2M7N5K3T9W6X1Y"
KEY = "a-key-of-at-least-thirty-two-bytes-length"
ORDER: TypeAdapter[Any] = TypeAdapter(JobCreate)


def image(**more: Any) -> ImageRequest:
    return ImageRequest(kind="image", **({"prompt": "a kingfisher"} | more))


def scene(photos: int = 36, preset: Preset = "draft") -> SceneParameters:
    return SceneParameters(capture_id=CAPTURE, capture_version=3, photos=photos, preset=preset, usdz=True, seed=0)


def drawn(**more: Any) -> ImageParameters:
    return pictures.resolve(image(**more), 5, ("flux-schnell",))


def trained(steps: int) -> LoraParameters:
    return trainings.usual("flux-schnell").model_copy(update={"steps": steps})


@pytest.mark.part("JOB-1")
class TestOrders:
    @pytest.mark.parametrize(
        "more",
        [
            {"prompt": ""},
            {"prompt": "   "},
            {"prompt": "x" * 2001},
            {"steps": 0},
            {"steps": 51},
            {"count": 0},
            {"count": 17},
            {"width": 512},
            {"height": 512},
            {"width": 500, "height": 512},
            {"width": 48, "height": 64},
            {"width": 512, "height": 512, "aspect": "1:1"},
            {"aspect": "5:4"},
            {"model": ""},
            {"seed": -1},
            {"seed": MAX_SEED + 1},
            {"guidance": -0.1},
            {"colour": "red"},
        ],
    )
    def test_what_cannot_be_drawn_is_refused(self, more: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            image(**more)

    def test_a_fingerprint_binds_the_order_and_not_its_quote(self) -> None:
        ordered = ORDER.validate_python({"kind": "image", "prompt": "a kingfisher", "quote": "abc"})
        assert isinstance(ordered, ImageCreate)
        assert fingerprint(ordered) == fingerprint(image())
        assert fingerprint(image()) != fingerprint(image(count=2))
        one, two = (
            SceneRequest(kind="scene", capture_id=CAPTURE),
            SceneRequest(kind="scene", capture_id=CAPTURE, usdz=False),
        )
        assert fingerprint(one) != fingerprint(two)


@pytest.mark.part("JOB-2")
class TestPrices:
    @pytest.mark.parametrize(
        ("more", "credits"),
        [
            ({}, 1),
            ({"count": 16}, 16),
            ({"steps": 5}, 2),
            ({"steps": 8}, 2),
            ({"width": 64, "height": 64, "steps": 1}, 1),
            ({"width": 2048, "height": 2048}, 4),
            ({"width": 2048, "height": 2048, "steps": 50, "count": 16}, 800),
        ],
    )
    def test_a_picture_costs_by_megapixels_times_steps_and_a_credit_at_least(
        self, more: dict[str, Any], credits: int
    ) -> None:
        assert pricing.price(drawn(**more)).credits == credits

    @pytest.mark.parametrize(
        ("photos", "preset", "credits"),
        [(8, "draft", 20), (40, "draft", 20), (41, "draft", 21), (300, "draft", 72), (61, "standard", 61)],
    )
    def test_a_scene_costs_by_its_photos(self, photos: int, preset: Preset, credits: int) -> None:
        assert pricing.price(scene(photos, preset)).credits == credits

    def test_a_scene_and_a_lora_are_delivered_whole(self) -> None:
        assert pricing.price(scene()).charge(1) == pricing.price(scene()).credits
        assert pricing.price(trained(300)).charge(1) == pricing.price(trained(300)).credits

    def test_only_what_is_delivered_is_charged(self) -> None:
        price = pricing.Price(credits=8, parts=4)
        assert [price.charge(parts) for parts in (-1, 0, 1, 3, 4, 9)] == [0, 0, 2, 6, 8, 8]

    def test_a_part_that_costs_no_whole_credits_is_rounded_in_the_customers_favour(self) -> None:
        assert [pricing.Price(credits=5, parts=2).charge(parts) for parts in (1, 2)] == [2, 5]

    @pytest.mark.parametrize(("priority", "each"), [("bulk", 1), ("standard", 1), ("rush", 2)])
    def test_at_each_priority_every_picture_is_a_part(self, priority: str, each: int) -> None:
        price = pricing.price(drawn(count=4, priority=priority))
        assert (price.parts, [price.charge(parts) for parts in (1, 4)]) == (4, [each, 4 * each])

    @pytest.mark.parametrize(("steps", "credits"), [(200, 10), (201, 11), (220, 11), (1000, 50), (1001, 51)])
    def test_a_lora_costs_by_its_steps_begun_credits_in_full(self, steps: int, credits: int) -> None:
        assert pricing.price(trained(steps)) == pricing.Price(credits, 1)

    def test_money_is_the_list_price_in_minor_units(self) -> None:
        assert pricing.Price(21, 1).money.amount == 21

    def test_more_work_is_predicted_to_take_longer(self) -> None:
        assert pricing.predicted_seconds(drawn()) < pricing.predicted_seconds(drawn(count=16))
        assert pricing.predicted_seconds(drawn()) < pricing.predicted_seconds(drawn(steps=50))
        assert pricing.predicted_seconds(drawn()) < pricing.predicted_seconds(drawn(width=2048, height=2048))
        assert pricing.predicted_seconds(scene(20)) < pricing.predicted_seconds(scene(300))
        assert pricing.predicted_seconds(trained(200)) < pricing.predicted_seconds(trained(1000))


@pytest.mark.part("JOB-2")
class TestQuotes:
    QUOTE = Quote(org="org_1", kind="scene", request="f" * 64, credits=21, capture_version=3, photos=41)

    def test_a_quote_comes_back_whole_while_it_is_valid(self) -> None:
        token = quotes.sign(self.QUOTE, KEY, NOW)
        assert quotes.read(token, [KEY], NOW + quotes.VALID - timedelta(seconds=1)) == self.QUOTE

    def test_a_quote_ends(self) -> None:
        token = quotes.sign(self.QUOTE, KEY, NOW)
        assert quotes.read(token, [KEY], NOW + timedelta(minutes=15) - timedelta(seconds=1)) == self.QUOTE
        assert quotes.read(token, [KEY], NOW + timedelta(minutes=15)) is None

    @pytest.mark.parametrize("years", [-30, 30])
    def test_time_is_judged_by_our_one_clock_alone(self, years: int) -> None:
        """Not by that of the host, which the library asks."""
        now = NOW + timedelta(days=365 * years)
        assert quotes.read(quotes.sign(self.QUOTE, KEY, now), [KEY], now) == self.QUOTE

    def test_a_quote_of_the_key_before_the_rotation_is_honoured(self) -> None:
        token = quotes.sign(self.QUOTE, KEY, NOW)
        assert quotes.read(token, ["another-key-of-thirty-two-bytes-or-more", KEY], NOW) == self.QUOTE

    def test_a_stranger_signs_nothing(self) -> None:
        token = quotes.sign(self.QUOTE, "another-key-of-thirty-two-bytes-or-more", NOW)
        assert quotes.read(token, [KEY], NOW) is None
        unsigned = jwt.encode({"org": "org_1", "exp": 9_999_999_999}, "", algorithm="none")
        assert quotes.read(unsigned, [KEY], NOW) is None
        assert quotes.read("nonsense", [KEY], NOW) is None

    def test_another_token_of_ours_is_no_quote(self) -> None:
        other = jwt.encode({"aud": "snapforge", "iat": 0, "exp": 9_999_999_999}, KEY, algorithm="HS256")
        assert quotes.read(other, [KEY], NOW) is None

    @pytest.mark.parametrize("missing", ["exp", "iat", "aud"])
    def test_a_token_without_its_times_or_its_audience_is_no_quote(self, missing: str) -> None:
        """Also of our own key: without an end it would hold its price for ever."""
        claims = self.QUOTE.model_dump() | {"aud": quotes.AUDIENCE, "iat": 0, "exp": 9_999_999_999}
        assert quotes.read(jwt.encode(claims, KEY, algorithm="HS256"), [KEY], NOW) == self.QUOTE
        del claims[missing]
        assert quotes.read(jwt.encode(claims, KEY, algorithm="HS256"), [KEY], NOW) is None

    def test_no_other_algorithm_is_taken(self) -> None:
        claims = self.QUOTE.model_dump() | {"aud": quotes.AUDIENCE, "iat": 0, "exp": 9_999_999_999}
        assert quotes.read(jwt.encode(claims, KEY * 2, algorithm="HS512"), [KEY * 2], NOW) is None


@pytest.mark.part("JOB-12")
class TestReceipts:
    def usage(self, seconds: float, instance: str) -> Usage:
        return Usage(
            started_at=NOW,
            ended_at=NOW + timedelta(seconds=seconds),
            compute_seconds=seconds,
            device="NVIDIA L4",
            instance_type=instance,
            interruptions=1,
        )

    def test_seconds_times_the_instances_price(self) -> None:
        spent = receipts.of_usage(1, self.usage(1800, "g6.2xlarge"))
        assert spent.cost_micro_usd == 611_000
        total = receipts.total([spent, spent], attempts=2, credits=20, charged=0)
        assert total.cost_micro_usd == 1_222_000
        assert (total.gpu_seconds, total.interruptions, total.released) == (3600, 2, 20)
        assert total.instances == ["g6.2xlarge"]

    def test_seconds_are_told_to_the_millisecond(self) -> None:
        """Of an attempt, and of a run whose attempts were kept finer."""
        spent = receipts.of_usage(1, self.usage(1.23456, "local"))
        assert spent.seconds == 1.235
        finer = [spent.model_copy(update={"seconds": seconds}) for seconds in (1.00012, 2.00034)]
        assert receipts.total(finer, attempts=2, credits=1, charged=1).gpu_seconds == 3.0

    def test_an_unknown_instance_has_no_invented_cost(self) -> None:
        died = receipts.of_times(1, NOW, NOW + timedelta(seconds=90))
        assert died is not None
        assert died.seconds == 90
        known = receipts.of_usage(2, self.usage(10, "local"))
        assert receipts.total([died, known], attempts=2, credits=1, charged=1).cost_micro_usd is None

    def test_what_is_not_charged_is_released(self) -> None:
        total = receipts.total([], attempts=1, credits=20, charged=5)
        assert (total.credits, total.charged, total.released) == (20, 5, 15)

    def test_clocks_that_disagree_spend_no_negative_time(self) -> None:
        """The worker's begin is told by one clock, the end of its Batch job by another."""
        spent = receipts.of_times(1, NOW, NOW - timedelta(seconds=3))
        assert spent is not None
        assert spent.seconds == 0

    def test_what_is_known_later_replaces_the_guess_for_its_attempt_only(self) -> None:
        guessed = [receipts.of_times(attempt, NOW, NOW + timedelta(seconds=90)) for attempt in (1, 2, 3)]
        spent = [part for part in guessed if part is not None]
        told = receipts.of_usage(2, self.usage(10, "local"))
        found = receipts.known_later(spent, told)
        assert sorted((part.attempt, part.seconds) for part in found) == [(1, 90), (2, 10), (3, 90)]

    def test_a_provider_costs_its_price_and_no_time_of_a_machine(self) -> None:
        usage = self.usage(10, "local").model_copy(update={"provider": "together", "cost_micro_usd": 2832})
        total = receipts.total([receipts.of_usage(1, usage)], attempts=1, credits=1, charged=1)
        assert (total.cost_micro_usd, total.gpu_seconds, total.instances) == (2832, 0, [])
        assert total.providers == ["together"]

    def test_a_death_is_an_interruption_and_a_clock_that_ran_backwards_gives_nothing_back(self) -> None:
        died = receipts.of_times(1, NOW, NOW - timedelta(seconds=5))
        assert died is not None
        assert (died.seconds, died.interruptions, died.cost_micro_usd) == (0, 1, None)

    def test_what_an_attempt_tells_later_replaces_its_guess_and_no_others(self) -> None:
        first, guess = receipts.of_usage(1, self.usage(10, "local")), receipts.of_times(2, NOW, NOW)
        assert guess is not None
        told = receipts.of_usage(2, self.usage(20, "local"))
        assert receipts.known_later([first, guess], told) == [first, told]

    def test_a_provider_is_no_instance_and_its_price_counts(self) -> None:
        usage = self.usage(9, "none").model_copy(update={"provider": "together", "cost_micro_usd": 5_400})
        total = receipts.total(
            [receipts.of_usage(1, usage), receipts.of_usage(2, self.usage(1800, "g6.2xlarge"))],
            attempts=2,
            credits=8,
            charged=6,
            priority="rush",
        )
        assert (total.providers, total.instances) == (["together"], ["g6.2xlarge"])
        assert (total.cost_micro_usd, total.gpu_seconds, total.interruptions) == (616_400, 1800, 2)
        assert (total.credits, total.charged, total.released, total.priority) == (8, 6, 2, "rush")

    def test_what_never_ran_spent_nothing(self) -> None:
        assert receipts.of_times(1, None, NOW) is None
        assert receipts.of_times(1, NOW, None) is None
        assert receipts.total([], attempts=1, credits=1, charged=0).cost_micro_usd == 0


@pytest.mark.part("JOB-2")
class TestPreflight:
    def photos(self, count: int, *warnings: str, focal: float | None = 900.0) -> list[preflight.PhotoFacts]:
        return [preflight.PhotoFacts(f"{number}.jpg", warnings, focal) for number in range(count)]

    @pytest.mark.parametrize("count", [20, 36, 300])
    def test_enough_good_photos_have_no_findings(self, count: int) -> None:
        assert preflight.examine(self.photos(count), []) == []

    def test_half_of_the_photos_and_eight_at_least_must_find_their_place(self) -> None:
        assert [preflight.needed(photos) for photos in (8, 16, 17, 18, 300)] == [8, 8, 9, 9, 150]

    @pytest.mark.parametrize(
        ("count", "code"),
        [(0, "too_few_photos"), (1, "too_few_photos"), (7, "too_few_photos"), (301, "too_many_photos")],
    )
    def test_photos_that_cannot_become_a_model_block_it(self, count: int, code: str) -> None:
        blocker = preflight.blocked(preflight.examine(self.photos(count), []))
        assert blocker is not None
        assert blocker.code == code
        assert blocker.fix

    @pytest.mark.parametrize("count", [8, 19])
    def test_few_photos_are_a_warning(self, count: int) -> None:
        findings = preflight.examine(self.photos(count), [])
        assert preflight.blocked(findings) is None
        assert [finding.code for finding in findings] == ["few_photos"]

    @pytest.mark.parametrize("warning", sorted(preflight.ADVICE))
    def test_each_photo_to_retake_is_named_with_advice(self, warning: str) -> None:
        photos = [*self.photos(20), preflight.PhotoFacts("bad.jpg", (warning,), None)]
        (finding,) = preflight.examine(photos, [])
        assert (finding.photo, finding.code, finding.severity) == ("bad.jpg", warning, "warning")
        assert finding.fix

    def test_every_warning_of_the_measurement_has_its_advice(self) -> None:
        from snapforge.assets.domain import PhotoWarning

        assert set(preflight.ADVICE) == set(PhotoWarning)

    def test_refused_photos_are_told_with_their_reason(self) -> None:
        (finding,) = preflight.examine(self.photos(20), [("notes.jpg", "It is a text file.")])
        assert (finding.photo, finding.message) == ("notes.jpg", "It is a text file.")

    @pytest.mark.parametrize(("bad", "code"), [(6, None), (7, "photos_too_poor")])
    def test_a_training_wants_half_of_its_photos_good(self, bad: int, code: str | None) -> None:
        photos = [*self.photos(bad, "blurred"), *self.photos(12 - bad)]
        blocker = preflight.blocked(trainings.examine(photos, []))
        assert (blocker.code if blocker else None) == code

    def test_a_capture_without_focal_lengths_is_told(self) -> None:
        (finding,) = preflight.examine(self.photos(20, focal=None), [])
        assert (finding.code, finding.severity) == ("no_focal_length", "note")
