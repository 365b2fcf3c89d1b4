"""Stage `encode`: photos and captions become tensors. Writes `examples.pt`."""

from worker.stages.base import Context
from worker.stages.lora import train
from worker.stages.lora.work import base_folder, family, lora_work, used_photos


def done(context: Context) -> bool:
    """True where the examples are back, or the training that needs them is through."""
    return train.done(context) or context.restore("examples", context.folder / "examples.pt")


def run(context: Context) -> None:
    """Encode with the base model's encoders, which are gone from memory afterwards."""
    from worker.engines.lora import base_model, examples

    work, kind = lora_work(context), family(context)

    def on_progress(share: float) -> None:
        context.check_interrupted()
        context.progress(0.5 + 0.5 * share, "Reading the photos")

    pipeline = base_model.load(base_folder(context), context.device, only="encoders")
    made, nothing = examples.encode(
        pipeline, kind, used_photos(context), context.state["captions"], work.size, on_progress
    )
    path = context.folder / "examples.pt"
    examples.save(path, made, nothing)
    context.checkpoint("examples", path)
