"""Drawing a micro-batch: the denoising loop of all families, with pictures that may leave it between two steps.

The loop is ours because diffusers' pipelines draw a batch whole: nobody can leave, and each call encodes its prompts
anew. What a model computes in a step, and the schedule of steps, are the pipelines' own (see the families' files;
tests hold every family to its pipeline's picture).

A picture's noise comes from the CPU's generator with the picture's own seed, so it is the same on every device and in
every batch. What the batch changes is the order of floating point additions in matrix products: a picture may differ
from the same one drawn alone by one grey level. Pictures are decoded one by one: that costs no time where a picture
fills the device, is faster on a CPU (its caches hold one), and memory does not grow with the batch.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

from worker.engines.base import Drawing, OnStep
from worker.engines.image.adapters import Adapters

Text = tuple[Any, ...]
"""What the text encoders made of one prompt: tensors without a batch dimension."""
_PROMPTS_KEPT = 64
"""Encoded prompts kept on the device: 4 MiB each for FLUX.1."""


class Family(Protocol):
    """One architecture: what its diffusers pipeline does, in steps."""

    name: str
    pipeline: Any

    def encode(self, prompts: list[str]) -> list[Text]:
        """The encoded prompts, in one pass."""
        ...

    def begin(self, drawing: Drawing, generators: list[Any]) -> tuple[Any, Any]:
        """(latents, timesteps): noise of one row per generator, and the schedule, set in the pipeline's scheduler."""
        ...

    def against(self, drawing: Drawing) -> str | None:
        """The text that guidance leads away from; None where the model is not guided so."""
        ...

    def predict(self, latents: Any, timestep: Any, texts: list[Text], drawing: Drawing, context: str) -> Any:
        """The velocity for each row of `latents`. `context` is `cond` or `uncond`, for step caches."""
        ...

    def guide(self, towards: Any, away: Any, drawing: Drawing) -> Any:
        """Both predictions as one."""
        ...

    def decode(self, latents: Any, drawing: Drawing) -> Any:
        """Pixels in -1 … 1, shape (1, 3, height, width), of one row of latents."""
        ...

    def ignored(self, drawing: Drawing) -> Sequence[str]:
        """Notes on requested settings that this model ignores."""
        ...


class Batches:
    """An engine (`worker.engines.base.ImageEngine`) around a family."""

    def __init__(self, family: Family, notes: tuple[str, ...]) -> None:
        self.name = family.name
        self.notes = notes
        self._family = family
        self._adapters = Adapters(family.pipeline)
        self._texts: OrderedDict[str, Text] = OrderedDict()

    @property
    def pipeline(self) -> Any:
        """The loaded diffusers pipeline."""
        return self._family.pipeline

    def ignored(self, drawing: Drawing) -> Sequence[str]:
        """Notes on requested settings that this model ignores."""
        return self._family.ignored(drawing)

    def draw(self, drawings: Sequence[Drawing], seeds: Sequence[int], on_step: OnStep) -> list[Any]:
        """The pictures, as `worker.engines.base.ImageEngine.draw` says."""
        import torch

        # Outside of inference mode: weights that were made in it could never be exchanged in place.
        self._adapters.use(drawings[0].adapters)
        with torch.inference_mode():
            try:
                return self._draw(drawings, [torch.Generator("cpu").manual_seed(seed) for seed in seeds], on_step)
            finally:
                # Resets step caches, and frees the device where parts are moved there in turn.
                self.pipeline.maybe_free_model_hooks()

    def _draw(self, drawings: Sequence[Drawing], generators: list[Any], on_step: OnStep) -> list[Any]:
        family, order = self._family, drawings[0]
        against = [family.against(drawing) for drawing in drawings]
        texts = self._encoded([drawing.prompt for drawing in drawings])
        away = self._encoded([text for text in against if text is not None])
        latents, timesteps = family.begin(order, generators)
        staying = list(range(len(drawings)))
        for done, timestep in enumerate(timesteps, start=1):
            toward = [texts[drawings[at].prompt] for at in staying]
            velocity = family.predict(latents, timestep, toward, order, "cond")
            guided = [row for row, at in enumerate(staying) if against[at] is not None]
            if guided:
                from_ = [away[str(against[staying[row]])] for row in guided]
                other = family.predict(latents[guided], timestep, from_, order, "uncond")
                velocity[guided] = family.guide(velocity[guided], other, order)
            latents = self.pipeline.scheduler.step(velocity, timestep, latents, return_dict=False)[0]
            if gone := set(on_step(done, len(timesteps))) & set(staying):
                rows = [row for row, at in enumerate(staying) if at not in gone]
                staying = [staying[row] for row in rows]
                if not staying:
                    break
                latents = latents[rows]
                self._shrunk()
        pictures: list[Any] = [None] * len(drawings)
        for row, at in enumerate(staying):
            pixels = family.decode(latents[row : row + 1], order)
            (picture,) = self.pipeline.image_processor.postprocess(pixels, output_type="pil")
            pictures[at] = picture.convert("RGB")
        return pictures

    def _shrunk(self) -> None:
        """What a step cache holds has the rows of those that left."""
        reset = getattr(self.pipeline.transformer, "_reset_stateful_cache", None)
        if reset:
            reset()

    def _encoded(self, prompts: Sequence[str]) -> dict[str, Text]:
        """Each prompt's encoding: kept ones, and the others in one pass."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._texts]
        if new:
            self._texts.update(zip(new, self._family.encode(new), strict=True))
        found = {}
        for prompt in prompts:
            self._texts.move_to_end(prompt)
            found[prompt] = self._texts[prompt]
        while len(self._texts) > _PROMPTS_KEPT:
            self._texts.popitem(last=False)
        return found
