"""Kind `lora`: 5 to 20 photos of one thing become an adapter that draws it."""

from worker.stages.base import Context, Stage
from worker.stages.lora import caption, check, encode, sample, train
from worker.stages.lora.work import lora_work

STAGES = (
    Stage("check", 1, check.run),
    Stage("caption", 4, caption.run, done=caption.done),
    Stage("encode", 5, encode.run, done=encode.done),
    Stage("train", 80, train.run, done=train.done),
    Stage("sample", 10, sample.run),
)


def describe(context: Context) -> tuple[str, str]:
    """(engine, model) for the result."""
    return "peft:flow-matching", lora_work(context).model
