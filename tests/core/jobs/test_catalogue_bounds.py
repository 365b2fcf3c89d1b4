"""What the catalogue tells of models, presets and LoRAs is what can be ordered: at each bound, and no further."""

from math import isqrt
from typing import Any

import pytest
from pydantic import ValidationError

from snapforge.jobs.domain import deadlines, pictures, pricing, receipts, trainings
from snapforge.jobs.domain.catalogue.images import IMAGE_MODELS
from snapforge.jobs.domain.catalogue.loras import LORA_BASES
from snapforge.jobs.domain.catalogue.providers import SERVED, served
from snapforge.jobs.domain.catalogue.scenes import SCENE_PRESETS
from snapforge.jobs.domain.pictures import NotDrawableError
from snapforge.jobs.domain.preflight import PhotoFacts
from snapforge.jobs.domain.requests import ImageParameters, ImageRequest, LoraParameters, Preset, SceneParameters
from snapforge.jobs.domain.requests.lora import LoraRequest

MODELS, BASES = tuple(IMAGE_MODELS), tuple(LORA_BASES)
CAPTURE = "cap_01JD8Z4Q0V4S2M7N5K3T9W6X1Y"
REFUSED = (ValidationError, NotDrawableError)


def drawn(model: str, **more: Any) -> ImageParameters:
    """As an order that comes over the wire becomes parameters."""
    return pictures.resolve(ImageRequest.model_validate({"kind": "image", "prompt": "p"} | more), 5, (model,))


def trained(model: str, **more: Any) -> LoraParameters:
    """The same of a training of five photos."""
    own = {"name": "A vase", "trigger": "grvase", "subject": "vase", "model": model}
    order = {"kind": "lora", "capture_id": CAPTURE, "rights": True} | own | more
    return trainings.resolve(
        LoraRequest.model_validate(order), lora_id="lra_1", number=1, identity=("A vase", "grvase", "vase", model),
        capture_version=1, names=[f"{number}.jpg" for number in range(5)],
    )  # fmt: skip


def scene(preset: Preset, photos: int) -> SceneParameters:
    """A scene of so many photos."""
    return SceneParameters(capture_id=CAPTURE, capture_version=1, photos=photos, preset=preset, usdz=True, seed=0)


@pytest.mark.part("JOB-8")
@pytest.mark.parametrize("model", MODELS)
class TestImageModels:
    @pytest.mark.parametrize(("member", "least", "most", "step"), [("steps", 1, 50, 1), ("guidance", 0, 20, 0.01)])
    def test_each_takes_the_whole_range_of_an_order(
        self, model: str, member: str, least: float, most: float, step: float
    ) -> None:
        """And the catalogue tells just that range."""
        told = getattr(IMAGE_MODELS[model], member)
        assert (told.min, told.max) == (least, most)
        for number in (least, most):
            assert getattr(drawn(model, **{member: number}), member) == number
        for number in (least - step, most + step):
            with pytest.raises(REFUSED):
                drawn(model, **{member: number})

    def test_the_least_and_the_greatest_side_that_it_tells_can_be_drawn(self, model: str) -> None:
        told = IMAGE_MODELS[model]
        for side in (told.min_side, told.max_side):
            other = told.min_side
            assert drawn(model, width=side, height=other).width == side
            assert drawn(model, width=other, height=side).height == side
        for beyond in (told.min_side - 16, told.max_side + 16):
            for sides in ({"width": beyond, "height": 128}, {"width": 128, "height": beyond}):
                with pytest.raises(REFUSED):
                    drawn(model, **sides)

    def test_the_most_pixels_that_it_tells_are_a_square_that_can_be_drawn(self, model: str) -> None:
        """No wider row fits on top of it."""
        side = isqrt(IMAGE_MODELS[model].max_pixels)
        largest = drawn(model, width=side, height=side)
        assert largest.width * largest.height == IMAGE_MODELS[model].max_pixels
        with pytest.raises(REFUSED):
            drawn(model, width=side + 16, height=side)

    def test_of_the_aspects_upright_is_as_large_as_lying(self, model: str) -> None:
        sizes = IMAGE_MODELS[model].sizes
        for upright, lying in (("3:4", "4:3"), ("2:3", "3:2"), ("9:16", "16:9")):
            assert sizes[upright] == sizes[lying][::-1]  # type: ignore[index]

    def test_its_speed_is_told_no_finer_than_it_was_measured(self, model: str) -> None:
        """Loading by the second, a step by ten milliseconds."""
        told = IMAGE_MODELS[model]
        assert told.milliseconds_to_load % 1000 == told.milliseconds_per_megapixel_step % 10 == 0


@pytest.mark.part("JOB-8")
@pytest.mark.parametrize(
    ("model", "steps", "guidance"),
    [("flux-schnell", 4, 0), ("flux2-klein", 4, 1), ("z-image-turbo", 9, 0), ("snapforge-demo", 12, 0)],
)
def test_nobody_who_chooses_nothing_gets_other_numbers_than_the_makers(model: str, steps: int, guidance: float) -> None:
    """Those of the models' own cards; the demo's is gpu_batch/models/demo/README.md. Also for a LoRA's samples."""
    made = drawn(model)
    assert (made.steps, made.guidance) == (steps, guidance)
    if model in BASES:
        samples = trainings.work(trained(model), [])
        assert (samples.sample_steps, samples.guidance) == (steps, guidance)


@pytest.mark.part("JOB-8")
def test_only_flux_schnell_promises_to_heed_a_negative_prompt() -> None:
    """By a second guidance beside its own. Z-Image does so at a guidance above its own alone."""
    assert [name for name, model in IMAGE_MODELS.items() if model.negative_prompt] == ["flux-schnell"]


@pytest.mark.part("JOB-2")
class TestPrices:
    @pytest.mark.parametrize(("model", "steps"), [("flux-schnell", 4), ("flux2-klein", 4), ("z-image-turbo", 8)])
    def test_a_credit_buys_so_many_steps_of_a_megapixel(self, model: str, steps: int) -> None:
        of = {"width": 1024, "height": 1024}
        bought = [pricing.price(drawn(model, steps=number, **of)).credits for number in (steps, steps + 1, 2 * steps)]
        assert bought == [1, 2, 2]

    def test_whatever_the_demo_draws_is_a_credit(self) -> None:
        assert pricing.price(drawn("snapforge-demo", width=192, height=192, steps=50)).credits == 1

    @pytest.mark.parametrize(("model", "steps"), [("flux-schnell", 20), ("flux2-klein", 25), ("snapforge-demo", 20)])
    def test_a_credit_buys_so_many_steps_of_a_training(self, model: str, steps: int) -> None:
        bought = [pricing.price(trained(model, steps=number)).credits for number in (40 * steps, 40 * steps + 1)]
        assert bought == [40, 41]

    @pytest.mark.parametrize(
        ("preset", "included", "each", "credits"), [("draft", 40, 5, 20), ("standard", 60, 2, 60), ("high", 80, 1, 150)]
    )
    def test_further_photos_are_paid_for_by_the_begun_credit(
        self, preset: Preset, included: int, each: int, credits: int
    ) -> None:
        found = [
            pricing.price(scene(preset, photos)).credits
            for photos in (8, included, included + 1, included + each, included + each + 1, included + 10 * each)
        ]
        assert found == [credits, credits, credits + 1, credits + 1, credits + 2, credits + 10]

    def test_machines_are_priced_as_their_provider_lists_them(self) -> None:
        """To a tenth of a cent an hour; our own machines cost nothing here."""
        assert {price % 1000 for price in receipts.INSTANCE_PRICES.values()} == {0}
        assert receipts.INSTANCE_PRICES["local"] == 0

    def test_a_megapixel_is_1024_squared_wherever_it_is_counted(self) -> None:
        """A picture of that size is drawn in its steps' time, to the millisecond."""
        for model in MODELS:
            pixels = drawn("flux-schnell", width=1024, height=1024, steps=3).model_copy(update={"model": model})
            assert pricing.drawing_milliseconds(pixels) == 3 * IMAGE_MODELS[model].milliseconds_per_megapixel_step


@pytest.mark.part("JOB-2", "JOB-11")
class TestTimes:
    @pytest.mark.parametrize(("preset", "seconds"), [("draft", 6 * 60), ("standard", 30 * 60), ("high", 5600)])
    def test_a_scene_of_the_photos_that_its_preset_includes(self, preset: Preset, seconds: int) -> None:
        """Six minutes, half an hour, an hour and a half."""
        told = SCENE_PRESETS[preset]
        assert pricing.predicted_seconds(scene(preset, told.photos_included)) == seconds
        assert told.seconds % 60 == 0

    @pytest.mark.parametrize(
        ("model", "steps", "seconds"),
        [("flux-schnell", 20, 20 + 7), ("flux2-klein", 50, 25 + 13), ("z-image-turbo", 50, 30 + 19)],
    )
    def test_a_picture_is_loading_and_its_steps(self, model: str, steps: int, seconds: int) -> None:
        of = {"width": 1024, "height": 1024}
        assert pricing.predicted_seconds(drawn(model, steps=steps, **of)) == seconds
        assert pricing.predicted_seconds(drawn(model, steps=steps, count=3, **of)) > seconds

    @pytest.mark.parametrize(
        ("model", "minutes"), [("flux-schnell", 3 + 15), ("flux2-klein", 3 + 11.67), ("snapforge-demo", 0.5 + 1)]
    )
    def test_a_training_with_the_models_own_steps(self, model: str, minutes: float) -> None:
        assert pricing.predicted_seconds(trained(model)) == pytest.approx(minutes * 60, abs=0.3)
        assert LORA_BASES[model].milliseconds_per_step % 100 == 0

    @pytest.mark.parametrize("model", BASES)
    def test_the_longest_training_is_predicted_to_end_before_its_deadline(self, model: str) -> None:
        longest = trained(model, steps=int(LORA_BASES[model].steps.max))
        assert pricing.predicted_seconds(longest) < deadlines.limits(longest).run.total_seconds()

    @pytest.mark.parametrize("model", MODELS)
    def test_the_largest_picture_order_is_predicted_to_end_before_its_deadline(self, model: str) -> None:
        """Sixteen of the most pixels at the model's own steps."""
        side = isqrt(IMAGE_MODELS[model].max_pixels)
        largest = drawn(model, width=side, height=side, count=16)
        assert pricing.predicted_seconds(largest) < deadlines.limits(largest).run.total_seconds()


@pytest.mark.part("JOB-7")
class TestTrainings:
    @pytest.mark.parametrize(
        ("model", "least", "usual", "most"),
        [("flux-schnell", 200, 1000, 3000), ("flux2-klein", 200, 1000, 3000), ("snapforge-demo", 20, 300, 2000)],
    )
    def test_steps_at_the_bounds_are_trained_and_none_beyond(
        self, model: str, least: int, usual: int, most: int
    ) -> None:
        assert [trained(model, steps=steps).steps for steps in (None, least, most)] == [usual, least, most]
        for steps in (least - 1, most + 1):
            with pytest.raises(NotDrawableError, match=f"{least} to {most} steps"):
                trained(model, steps=steps)

    @pytest.mark.parametrize("model", BASES)
    def test_its_settings_are_ones_that_a_trainer_can_take(self, model: str) -> None:
        """Whole latents, no larger than the model draws; a rank of two to some power; a rate that does not burn."""
        made = trained(model)
        assert made.size % 16 == 0
        assert 128 <= made.size <= IMAGE_MODELS[model].sizes["1:1"][0]
        assert made.rank.bit_count() == 1
        assert 1e-5 < made.learning_rate < 1e-2

    def test_the_photos_that_a_list_price_is_told_for_are_a_good_training(self) -> None:
        usual = trainings.usual("flux-schnell")
        facts = [PhotoFacts(f"{number}.jpg", (), 900.0) for number in range(usual.photos)]
        assert trainings.examine(facts, []) == []
        assert [finding.code for finding in trainings.examine(facts[1:], [])] == ["few_photos"]
        assert (usual.lora_version, usual.capture_version, usual.rights) == (1, 1, True)


@pytest.mark.part("JOB-7", "JOB-12")
class TestServed:
    @pytest.mark.parametrize(
        ("provider", "model", "most_steps"),
        [("together", "flux-schnell", 12), ("replicate", "flux-schnell", 4), ("huggingface", "flux-schnell", 12),
         ("replicate", "z-image-turbo", 50)],
    )  # fmt: skip
    def test_a_provider_takes_the_makers_steps_and_up_to_its_own_most(
        self, provider: str, model: str, most_steps: int
    ) -> None:
        width, height = IMAGE_MODELS[model].sizes["3:2"]
        for steps in (1, int(IMAGE_MODELS[model].steps.default), most_steps):
            assert served(provider, model=model, width=width, height=height, steps=steps) is not None
        assert served(provider, model=model, width=width, height=height, steps=most_steps + 1) is None

    @pytest.mark.parametrize(
        ("provider", "model", "most"),
        [
            ("together", "flux-schnell", 1792),
            ("huggingface", "flux-schnell", 2048),
            ("replicate", "z-image-turbo", 2048),
        ],
    )
    def test_sizes_of_the_customers_own_lie_between_its_least_and_greatest_side(
        self, provider: str, model: str, most: int
    ) -> None:
        def takes(width: int, height: int) -> bool:
            return served(provider, model=model, width=width, height=height, steps=4) is not None

        assert takes(64, most)
        assert takes(most, 64)
        assert takes(most, most)
        assert not any((takes(63, 64), takes(64, 63), takes(most + 1, 64), takes(64, most + 1)))

    def test_one_of_native_sizes_only_takes_these_and_no_other(self) -> None:
        for width, height in IMAGE_MODELS["flux-schnell"].sizes.values():
            assert served("replicate", model="flux-schnell", width=width, height=height, steps=4) is not None
        assert served("replicate", model="flux-schnell", width=1024, height=1040, steps=4) is None

    def test_prices_are_whole_hundredths_of_a_cent_and_begun_millionths_in_full(self) -> None:
        """As providers list them, of a picture or of a million pixels."""
        for offers in SERVED.values():
            for offer in offers.values():
                assert offer.micro_usd % 100 == 0
                by_area = {1_000_000: offer.micro_usd, 500_000: offer.micro_usd // 2, 1: 1}
                for pixels, cost in by_area.items():
                    assert offer.cost_micro_usd(pixels, 1) == (cost if offer.by_megapixel else offer.micro_usd)

    @pytest.mark.parametrize(
        ("provider", "model", "million_pixels", "four_million"),
        [
            ("together", "flux-schnell", 2_700, 10_800),
            ("replicate", "flux-schnell", 3_000, 3_000),
            ("huggingface", "flux-schnell", 3_000, 12_000),
            ("replicate", "z-image-turbo", 5_000, 20_000),
        ],
    )
    def test_some_charge_by_the_picture_and_some_by_its_pixels(
        self, provider: str, model: str, million_pixels: int, four_million: int
    ) -> None:
        """As they listed it in 2026, in millionths of a dollar."""
        offer = served(provider, model=model, width=1024, height=1024, steps=4)
        assert offer is not None
        found = [offer.cost_micro_usd(1000 * size, 1000 * size) for size in (1, 2)]
        assert found == [million_pixels, four_million]

    def test_a_begun_millionth_of_a_dollar_is_paid_in_full(self) -> None:
        """657,408 pixels at 2,700 a million are 1,775.0016."""
        together = served("together", model="flux-schnell", width=384, height=1712, steps=4)
        assert together is not None
        assert together.cost_micro_usd(384, 1712) == 1776
