"""A quote holds the price of one order, to its last option: any other order is priced by itself."""

from typing import Any, Literal, get_args, get_origin

import pytest

from snapforge.jobs import schemas
from snapforge.jobs.domain.requests import (
    ImageRequest,
    JobRequest,
    LoraRequest,
    LoraSelection,
    SceneRequest,
    fingerprint,
)
from snapforge.jobs.service.submission import previews, submit
from snapforge.kit import ids
from snapforge.kit.permissions import Principal
from tests.core.jobs.captures import capture, examined
from tests.core.jobs.engine import Engine, idempotency_key
from tests.core.jobs.trained import VASE

CAPTURE = "cap_01JD8Z4Q0V4S2M7N5K3T9W6X1Y"
LORA = "lra_01JD8Z4Q0V4S2M7N5K3T9W6X1Y"
ORDERS: tuple[JobRequest, ...] = (
    ImageRequest(kind="image", prompt="a kingfisher", loras=[LoraSelection(id=LORA)]),
    SceneRequest(kind="scene", capture_id=CAPTURE),
    LoraRequest(capture_id=CAPTURE, **VASE),
)
OTHERWISE: dict[str, Any] = {
    "prompt": "a jay",
    "negative_prompt": "people",
    "model": "flux2-klein",
    "style": "watercolour",
    "aspect": "3:2",
    "width": 512,
    "height": 512,
    "steps": 12,
    "guidance": 2.5,
    "seed": 7,
    "count": 2,
    "loras": [],
    "priority": "rush",
    "capture_id": CAPTURE[:-1] + "Z",
    "preset": "high",
    "usdz": False,
    "longest_side_m": 0.2,
    "floor": "keep",
    "compression": "draco",
    "lora_id": LORA,
    "name": "A jug",
    "trigger": "grjug",
    "subject": "jug",
    "captions": {"vase-01.jpg": "the vase on a window sill"},
}
"""Another value of each member of an order. A new member fails below until it has one here."""
SELECTED_OTHERWISE: dict[str, Any] = {"id": LORA[:-1] + "Z", "weight": 0.5, "version": 2}


def members(order: JobRequest) -> list[str]:
    """The members that can be chosen: all but those of one value, `Literal["image"]` for example."""
    fields = {name: field.annotation for name, field in type(order).model_fields.items()}
    return [name for name, kind in fields.items() if get_origin(kind) is not Literal or len(get_args(kind)) > 1]


CHOICES = [(order, member) for order in ORDERS for member in members(order)]


@pytest.mark.part("JOB-2")
class TestFingerprint:
    @pytest.mark.parametrize(("order", "member"), CHOICES, ids=[f"{order.kind}.{member}" for order, member in CHOICES])
    def test_each_member_of_an_order_changes_it(self, order: JobRequest, member: str) -> None:
        """An unchecked copy: here it is of no matter whether members go together."""
        assert getattr(order, member) != OTHERWISE[member]
        assert fingerprint(order) != fingerprint(order.model_copy(update={member: OTHERWISE[member]}))

    @pytest.mark.parametrize("member", list(LoraSelection.model_fields))
    def test_each_member_of_a_lora_that_is_drawn_with_changes_it(self, member: str) -> None:
        plain = LoraSelection(id=LORA)
        other = plain.model_copy(update={member: SELECTED_OTHERWISE[member]})
        one, two = (ImageRequest(kind="image", prompt="a jay", loras=[selected]) for selected in (plain, other))
        assert fingerprint(one) != fingerprint(two)

    @pytest.mark.parametrize(
        ("request_", "preview", "create"),
        [
            (ImageRequest, schemas.ImagePreview, schemas.ImageCreate),
            (SceneRequest, schemas.ScenePreview, schemas.SceneCreate),
            (LoraRequest, schemas.LoraPreview, schemas.LoraCreate),
        ],
    )
    def test_what_is_sent_has_no_further_member_than_the_quote(self, request_: Any, preview: Any, create: Any) -> None:
        """A member that only the order had would not be in its fingerprint, nor in what was previewed."""
        assert set(preview.model_fields) == set(request_.model_fields)
        assert set(create.model_fields) == {*request_.model_fields, "quote"}


def cheap_quote(who: Principal, order: dict[str, Any]) -> tuple[str, int]:
    """The quote of an order, and its credits."""
    preview = previews.preview_job(who, _PREVIEWS[order["kind"]].model_validate(order))
    assert preview.quote is not None
    assert preview.credits is not None
    return preview.quote, preview.credits


_PREVIEWS: dict[str, Any] = {
    "image": schemas.ImagePreview,
    "scene": schemas.ScenePreview,
    "lora": schemas.LoraPreview,
}
_CREATES: dict[str, Any] = {"image": schemas.ImageCreate, "scene": schemas.SceneCreate, "lora": schemas.LoraCreate}


@pytest.mark.part("JOB-2", "JOB-3")
class TestCheapQuotes:
    """The quote of a cheap order, sent with a dear one."""

    @pytest.mark.parametrize(
        ("kind", "dearer", "credits"),
        [
            ("image", {"priority": "rush"}, 2),
            ("image", {"steps": 12}, 3),
            ("image", {"width": 2048, "height": 2048}, 4),
            ("image", {"count": 5}, 5),
            ("scene", {"priority": "rush"}, 40),
            ("scene", {"preset": "high"}, 150),
            ("lora", {"priority": "rush"}, 100),
            ("lora", {"steps": 2000}, 100),
        ],
    )
    def test_they_do_not_price_it(self, engine: Engine, kind: str, dearer: dict[str, Any], credits: int) -> None:
        who = engine.customer(200)
        order: dict[str, Any] = {"image": {"kind": "image", "prompt": "a kingfisher"}, "lora": VASE}.get(kind, {})
        if kind != "image":
            photos = examined(who, capture(who, photos=24 if kind == "scene" else 12))
            order = order | {"kind": kind, "capture_id": photos}
        quote, cheap = cheap_quote(who, order)
        assert cheap < credits
        sent = _CREATES[kind].model_validate(order | dearer | {"quote": quote})
        job = submit.create_job(who, sent, idempotency_key(who, ids.new("event")))
        assert (job.price.credits, job.price.held, job.price.quoted) == (credits, credits, False)
