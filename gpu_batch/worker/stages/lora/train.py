"""Stage `train`: the adapter. Writes `adapter.safetensors`; the training is kept at least every 20 s."""

from pathlib import Path

from worker.errors import Interrupted
from worker.stages.base import Context
from worker.stages.lora.work import base_folder, family, lora_work

ADAPTER = "adapter.safetensors"


def done(context: Context) -> bool:
    """True where the adapter is trained to the end and is back."""
    return "loss_after" in context.state and context.restore("adapter", context.folder / ADAPTER)


def run(context: Context) -> None:
    """Train, going on from the last checkpoint, and measure before and after on fixed noise."""
    from worker.engines.lora import adapter, base_model, examples, presets, training

    work, kind = lora_work(context), family(context)
    made, nothing = examples.load(context.folder / "examples.pt", context.device)
    pipeline = base_model.load(base_folder(context), context.device, only="transformer")
    transformer = pipeline.transformer
    if context.device == "cuda":
        transformer.enable_gradient_checkpointing()
    plan = training.Plan(
        work.rank,
        work.steps,
        work.learning_rate,
        work.seed,
        presets.batch_size(context.device, reduced=context.reduced),
        shift=pipeline.scheduler.config.shift,
    )
    if "loss_before" not in context.state:
        context.state["loss_before"] = training.fixed_loss(transformer, kind, made, work.seed)
    file = context.folder / "training.pt"
    context.restore("training", file)

    def tick(step: int, loss: float) -> None:
        context.progress(step / work.steps, f"Step {step} of {work.steps}, loss {loss:.3f}")

    def keep(path: Path) -> None:
        context.checkpoint("training", path)

    if not training.train(transformer, kind, made, nothing, plan, file, tick, keep, context.interrupted.is_set):
        context.checkpoint("training", file)
        context.check_interrupted()
        raise Interrupted
    context.state["loss_after"] = training.fixed_loss(transformer, kind, made, work.seed)
    header = adapter.Header(kind.name, adapter.transformer_width(transformer), work.rank, work.trigger)
    adapter.write(context.folder / ADAPTER, type(pipeline), transformer, header)
    context.checkpoint("adapter", context.folder / ADAPTER)
