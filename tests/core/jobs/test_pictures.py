"""From an order of pictures to exact parameters, and what the catalogue promises, decided without any I/O."""

import re
from typing import Any

import pytest

from snapforge.jobs.domain import pictures
from snapforge.jobs.domain.catalogue.images import IMAGE_MODELS
from snapforge.jobs.domain.catalogue.styles import PLACE, STYLES, styled
from snapforge.jobs.domain.pictures import NotDrawableError, NotOfferedError
from snapforge.jobs.domain.requests import ImageParameters, ImageRequest

ALL = tuple(IMAGE_MODELS)


def image(**more: Any) -> ImageRequest:
    return ImageRequest(kind="image", **({"prompt": "a kingfisher"} | more))


def drawn(**more: Any) -> ImageParameters:
    return pictures.resolve(image(**more), 5, ALL)


@pytest.mark.part("JOB-8")
class TestParameters:
    def test_what_is_not_named_is_the_models_own_and_the_seed_is_drawn(self) -> None:
        made = drawn()
        assert (made.steps, made.guidance, made.seed) == (4, 0.0, 5)
        made = drawn(steps=9, guidance=3.5, seed=0)
        assert (made.steps, made.guidance, made.seed) == (9, 3.5, 0)

    def test_what_is_named_is_kept_and_nought_is_a_seed_and_a_guidance(self) -> None:
        assert drawn(model="flux2-klein").guidance == 1
        assert drawn(model="flux2-klein", guidance=0).guidance == 0
        named = {"seed": 0, "style": "watercolour", "priority": "rush", "negative_prompt": "blur", "count": 3}
        made = pictures.resolve(image(**named), 5, ("flux-schnell",)).model_dump()
        assert made | named == made

    def test_an_order_without_a_model_takes_the_first_on_offer(self) -> None:
        assert pictures.resolve(image(), 5, ("z-image-turbo", "flux-schnell")).model == "z-image-turbo"
        assert drawn(model="flux2-klein").model == "flux2-klein"

    def test_a_model_that_is_not_offered_is_refused_with_those_that_are(self) -> None:
        with pytest.raises(NotOfferedError, match="Offered are: flux-schnell, z-image-turbo"):
            pictures.resolve(image(model="flux2-klein"), 5, ("flux-schnell", "z-image-turbo"))

    def test_the_size_comes_from_the_aspect_or_the_sides(self) -> None:
        assert (drawn().width, drawn().height) == (1024, 1024)
        assert (drawn(aspect="16:9").width, drawn(aspect="16:9").height) == (1344, 768)
        own = drawn(width=512, height=768)
        assert (own.width, own.height) == (512, 768)
        small = drawn(model="snapforge-demo", aspect="1:1")
        assert (small.width, small.height) == (128, 128)

    @pytest.mark.parametrize("model", ALL)
    def test_every_native_size_can_be_ordered_by_its_sides_and_keeps_its_aspect(self, model: str) -> None:
        # Steps of 16 pixels are coarse for a small model.
        tolerance = 0.08 if model == "snapforge-demo" else 0.05
        for aspect, (width, height) in IMAGE_MODELS[model].sizes.items():
            by_sides = drawn(model=model, width=width, height=height)
            assert (by_sides.width, by_sides.height) == (width, height)
            across, down = map(int, aspect.split(":"))
            assert abs(width / height - across / down) / (across / down) < tolerance

    @pytest.mark.parametrize("model", ALL)
    def test_the_models_own_numbers_lie_within_its_bounds(self, model: str) -> None:
        assert drawn(model=model, steps=int(IMAGE_MODELS[model].steps.default)).steps == drawn(model=model).steps
        assert drawn(model=model, guidance=drawn(model=model).guidance) == drawn(model=model)

    @pytest.mark.parametrize(
        ("member", "more"),
        [
            ("width", {"width": 512, "height": 128}),
            ("height", {"width": 128, "height": 272}),
            ("width", {"width": 256, "height": 256}),
            ("style", {"style": "velvet"}),
        ],
    )
    def test_what_a_model_cannot_draw_is_refused_and_the_member_named(self, member: str, more: dict[str, Any]) -> None:
        with pytest.raises(NotDrawableError) as refused:
            drawn(model="snapforge-demo", **more)
        assert refused.value.member == member

    def test_steps_out_of_a_models_bounds_are_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model = IMAGE_MODELS["flux-schnell"]
        monkeypatch.setitem(IMAGE_MODELS, "flux-schnell", _with_steps(model, 8))
        with pytest.raises(NotDrawableError, match="takes steps of 1 to 8"):
            drawn(steps=9)

    @pytest.mark.parametrize("setting", ["", " , ", "flux-schnell,flux-dev"])
    def test_an_operators_slip_is_told_with_the_names_there_are(self, setting: str) -> None:
        with pytest.raises(ValueError, match=re.escape("flux-schnell, flux2-klein")):
            pictures.offered(setting)

    def test_the_setting_keeps_its_order(self) -> None:
        assert pictures.offered(" z-image-turbo, flux-schnell ,") == ("z-image-turbo", "flux-schnell")


def _with_steps(model: Any, limit: float) -> Any:
    from dataclasses import replace

    return replace(model, steps=replace(model.steps, max=limit))


@pytest.mark.part("JOB-8")
class TestStyles:
    def test_without_a_style_the_prompt_is_drawn_as_asked(self) -> None:
        assert styled(" a {fox}. ", "blur", None) == (" a {fox}. ", "blur")

    @pytest.mark.parametrize("style", STYLES)
    def test_a_style_wraps_the_prompt_once(self, style: str) -> None:
        assert STYLES[style].template.count(PLACE) == 1
        drawn, negative = styled("a fox at night.", "", style)
        assert drawn.count("a fox at night") == 1
        assert len(drawn) > len("a fox at night")
        assert negative == ""

    def test_a_prompt_with_braces_stays_what_it_is(self) -> None:
        assert "{prompt} {0} %s" in styled("{prompt} {0} %s", "", "ink")[0]

    def test_a_styles_negative_part_joins_one_that_was_asked_for(self) -> None:
        assert styled("a fox", "snow", "ink")[1] == f"snow, {STYLES['ink'].negative}"

    def test_the_work_order_has_the_style_and_the_parameters_keep_the_prompt(self) -> None:
        made = drawn(prompt="a fox", style="watercolour", negative_prompt="snow", count=3, seed=7)
        assert made.prompt == "a fox"
        work = pictures.work(made)
        assert (work.prompt, work.negative_prompt) == styled("a fox", "snow", "watercolour")
        assert (work.model, work.width, work.steps, work.seed, work.count) == ("flux-schnell", 1024, 4, 7, 3)

    def test_the_catalogue_holds_a_dozen_styles_with_prompts_to_start_from(self) -> None:
        assert len(STYLES) >= 12
        assert all(style.examples and style.title for style in STYLES.values())
        assert all(model.examples and model.licence for model in IMAGE_MODELS.values())
