"""What binds a quote to its request: every field that can be asked for."""

from typing import Any

import pytest

from snapforge.jobs.domain.requests import ImageRequest, JobRequest, LoraRequest, SceneRequest, fingerprint
from snapforge.jobs.schemas import ImageCreate

CAPTURE, OTHER_CAPTURE = "cap_01JD8Z4Q0V4S2M7N5K3T9W6X1Y", "cap_01JD8Z4Q0V4S2M7N5K3T9W6X1Z"
LORA, OTHER_LORA = "lra_01JD8Z4Q0V4S2M7N5K3T9W6X1Y", "lra_01JD8Z4Q0V4S2M7N5K3T9W6X1Z"
ALIKE: dict[type[JobRequest], dict[str, Any]] = {
    ImageRequest: {"kind": "image", "prompt": "a kingfisher"},
    SceneRequest: {"kind": "scene", "capture_id": CAPTURE},
    LoraRequest: {
        "kind": "lora",
        "capture_id": CAPTURE,
        "rights": True,
        "name": "A vase",
        "trigger": "grvase",
        "subject": "vase",
    },
}
"""The least that each kind needs."""
FIXED = {"kind", "rights"}
"""Fields that can have one value only."""
CHANGES: dict[type[JobRequest], dict[str, dict[str, Any]]] = {
    ImageRequest: {
        "prompt": {"prompt": "a heron"},
        "negative_prompt": {"negative_prompt": "text"},
        "model": {"model": "flux-schnell"},
        "style": {"style": "watercolour"},
        "aspect": {"aspect": "21:9"},
        "width": {"width": 2048, "height": 1024},
        "height": {"width": 1024, "height": 2048},
        "steps": {"steps": 50},
        "guidance": {"guidance": 7.5},
        "seed": {"seed": 5},
        "count": {"count": 16},
        "loras": {"loras": [{"id": LORA}]},
        "priority": {"priority": "rush"},
    },
    SceneRequest: {
        "capture_id": {"capture_id": OTHER_CAPTURE},
        "preset": {"preset": "high"},
        "usdz": {"usdz": False},
        "longest_side_m": {"longest_side_m": 0.4},
        "floor": {"floor": "keep"},
        "compression": {"compression": "draco"},
        "seed": {"seed": 5},
        "priority": {"priority": "rush"},
    },
    LoraRequest: {
        "capture_id": {"capture_id": OTHER_CAPTURE},
        "lora_id": {"lora_id": LORA, "name": None, "trigger": None, "subject": None},
        "name": {"name": "Another vase"},
        "trigger": {"trigger": "other"},
        "subject": {"subject": "jug"},
        "model": {"model": "flux-schnell"},
        "steps": {"steps": 10_000},
        "captions": {"captions": {"a.jpg": "a vase"}},
        "seed": {"seed": 5},
        "priority": {"priority": "rush"},
    },
}
CASES = [(kind, field) for kind, changes in CHANGES.items() for field in changes]


def asked(kind: type[JobRequest], **changes: Any) -> JobRequest:
    """A request of a kind."""
    return kind.model_validate(ALIKE[kind] | changes)


@pytest.mark.part("JOB-2")
class TestFingerprint:
    @pytest.mark.parametrize("kind", CHANGES, ids=lambda kind: kind.__name__)
    def test_every_field_of_the_schema_is_tried(self, kind: type[JobRequest]) -> None:
        """A new field needs a line above: whether it is paid for or not, a quote is for the very same request."""
        assert CHANGES[kind].keys() == kind.model_fields.keys() - FIXED

    @pytest.mark.parametrize(("kind", "field"), CASES, ids=lambda value: getattr(value, "__name__", value))
    def test_a_change_of_any_field_is_another_request(self, kind: type[JobRequest], field: str) -> None:
        changed = asked(kind, **CHANGES[kind][field])
        assert getattr(changed, field) != getattr(asked(kind), field)
        assert fingerprint(changed) != fingerprint(asked(kind))

    def test_all_changes_are_told_apart(self) -> None:
        prints = [fingerprint(asked(kind, **CHANGES[kind][field])) for kind, field in CASES]
        assert len(set(prints)) == len(prints)

    @pytest.mark.parametrize("changes", [{"loras": [{"id": LORA, "weight": 0.5}]}, {"loras": [{"id": OTHER_LORA}]}])
    def test_a_change_within_a_lora_is_another_request(self, changes: dict[str, Any]) -> None:
        assert fingerprint(asked(ImageRequest, **changes)) != fingerprint(asked(ImageRequest, loras=[{"id": LORA}]))

    def test_the_quote_itself_is_no_part_of_it(self) -> None:
        created = ImageCreate.model_validate(ALIKE[ImageRequest] | {"quote": "token"})
        assert fingerprint(created) == fingerprint(asked(ImageRequest))
