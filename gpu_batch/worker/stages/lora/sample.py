"""Stage `sample`: the sample grid, the quality, the promise held against it, and the results."""

from snapforge.contracts.results import LoraQuality
from worker.errors import QualityError
from worker.stages.base import Context
from worker.stages.lora import train
from worker.stages.lora.work import base_folder, family, lora_work

_MIN_GAIN = 0.02
"""The share by which the loss on fixed noise must have fallen; less is no learning."""


def run(context: Context) -> None:
    """Draw the grid with the adapter as a customer's picture would use it. Raises QualityError `nothing_learnt`."""
    from worker.engines.image.adapters import Adapter
    from worker.engines.lora import base_model, presets, samples
    from worker.tools import sha256

    work, state = lora_work(context), context.state
    path = context.folder / train.ADAPTER
    prompts = work.sample_prompts or (f"a photo of {work.trigger} {work.subject}",)

    def on_progress(share: float) -> None:
        context.check_interrupted()
        context.progress(share, "Drawing samples")

    pipeline = base_model.load(base_folder(context), context.device, only="all")
    sheet = samples.draw(
        pipeline,
        Adapter(work.trigger, sha256(path), path, 1.0),
        prompts[: presets.MAX_SAMPLES],
        work.size,
        work.sample_steps,
        work.guidance,
        work.seed,
        on_progress,
    )
    grid = context.folder / "preview.jpg"
    samples.write(sheet, grid)
    context.lora = LoraQuality(
        family=family(context).name,
        rank=work.rank,
        steps=work.steps,
        photos_given=len(work.photos),
        photos_used=len(state["used"]),
        captions=tuple(state["captions"]),
        loss_before=round(state["loss_before"], 4),
        loss_after=round(state["loss_after"], 4),
    )
    context.add_result(path, "adapter", "application/octet-stream")
    context.add_result(grid, "preview", "image/jpeg", sheet.width, sheet.height)
    if context.lora.loss_after > (1 - _MIN_GAIN) * context.lora.loss_before:
        raise QualityError(
            "nothing_learnt",
            f"The training learnt nothing: its loss went from {context.lora.loss_before} to {context.lora.loss_after}.",
            "Use photos that show one thing clearly, or more steps. Nothing was charged.",
        )
