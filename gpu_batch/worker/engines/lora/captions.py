"""Captions: what the customer wrote, what a captioning model sees, or the name alone; always with the trigger word."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from worker.engines.lora.photos import Pixels

Describe = Callable[[Pixels], str]
"""From a photo to a short description of it."""

_MAX_TOKENS = 40


def caption(written: str, trigger: str, subject: str, seen: str) -> str:
    """The caption to train with. A written one counts; `seen` fills in; the trigger is put in front where it lacks."""
    text = written.strip() or seen.strip()
    if not text:
        return f"a photo of {trigger} {subject}".strip()
    return text if trigger.lower() in text.lower().split() else f"{trigger} {subject}, {text}"


def captioner(folder: Path, device: str) -> Describe:
    """A captioning model (transformers' image-to-text classes, e.g. BLIP) from `folder`, which must be complete."""
    import torch

    transformers: Any = import_module("transformers")
    processor = transformers.AutoProcessor.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForImageTextToText.from_pretrained(
        folder, local_files_only=True, use_safetensors=True, dtype=torch.bfloat16 if device == "cuda" else torch.float32
    ).to(device)

    def describe(pixels: Pixels) -> str:
        inputs = processor(images=pixels, return_tensors="pt").to(device, model.dtype)
        with torch.inference_mode():
            tokens = model.generate(**inputs, max_new_tokens=_MAX_TOKENS, do_sample=False)
        return str(processor.batch_decode(tokens, skip_special_tokens=True)[0]).strip()

    return describe


def for_all(
    photos: Sequence[Pixels], written: Sequence[str], trigger: str, subject: str, describe: Describe | None
) -> list[str]:
    """A caption for each photo. `written` is empty, or has one (possibly empty) text for each."""
    texts = list(written) or [""] * len(photos)
    return [
        caption(text, trigger, subject, describe(pixels) if describe and not text.strip() else "")
        for pixels, text in zip(photos, texts, strict=True)
    ]
