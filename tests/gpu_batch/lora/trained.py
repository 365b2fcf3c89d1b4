"""A short training on a tiny model, by the engine's own functions."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.gpu_batch.lora import things
from worker.engines.base import model_family
from worker.engines.image.adapters import Adapter
from worker.engines.lora import adapter, base_model, captions, examples, families, photos, training
from worker.tools import sha256


@dataclass(frozen=True)
class Trained:
    """What a training left."""

    path: Path
    loss_before: float
    loss_after: float

    def at(self, weight: float, name: str = "ball") -> Adapter:
        """The adapter, as a picture wants it."""
        return Adapter(name, sha256(self.path), self.path, weight)


def never() -> bool:
    """Nobody stops the training."""
    return False


def train_one(
    model: Path,
    folder: Path,
    *,
    seed: int,
    rank: int = 8,
    steps: int = 60,
    stopped: Callable[[], bool] = never,
) -> Trained:
    """Train on six photos; called again with the same folder it goes on."""
    family = families.family_of(model_family(model))
    decoded = [photos.decode(path) for path in things.write(folder, 6)]
    texts = captions.for_all(decoded, [], "zwq", "ball", None)
    encoders = base_model.load(model, "cpu", only="encoders")
    made, nothing = examples.encode(encoders, family, decoded, texts, 64, lambda share: None)
    examples.save(folder / "examples.pt", made, nothing)
    made, nothing = examples.load(folder / "examples.pt", "cpu")
    pipeline = base_model.load(model, "cpu", only="transformer")
    before = training.fixed_loss(pipeline.transformer, family, made, seed)
    plan = training.Plan(rank, steps, 3e-3, seed)
    training.train(
        pipeline.transformer, family, made, nothing, plan, folder / "training.pt",
        lambda step, loss: None, lambda path: None, stopped,
    )  # fmt: skip
    after = training.fixed_loss(pipeline.transformer, family, made, seed)
    width = adapter.transformer_width(pipeline.transformer)
    header = adapter.Header(family.name, width, rank, "zwq")
    path = folder / "adapter.safetensors"
    adapter.write(path, type(pipeline), pipeline.transformer, header)
    return Trained(path, before, after)
