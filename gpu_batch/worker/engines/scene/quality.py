"""How good the delivered mesh is: it is drawn from views that were held out of training and texturing."""

import pathlib

import numpy as np
import numpy.typing as npt

from worker.engines.scene import views
from worker.engines.scene.rays import Floats, Tracer, read_texture
from worker.engines.scene.texture import Textured
from worker.engines.scene.views import Capture, View

_MEASURE_PX = 800
_MISSING_GREY = 127.5
_MAX_GAIN = 2.0


def draw(model: Textured, view: View, tracer: Tracer | None = None) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The textured mesh in a view: colours (H, W, 3) in 0..255 and where it is (H, W)."""
    tracer = tracer or Tracer(model.vertices, model.faces)
    origin, directions = view.rays()
    frame = np.flatnonzero(_frame(model, view))
    face, weights, _ = tracer.hit(origin, directions[frame])
    hit = face >= 0
    uv = np.einsum("nk,nkd->nd", weights[hit], model.uv[model.faces[face[hit]]])
    picture = np.zeros((len(directions), 3), np.float32)
    picture[frame[hit]] = read_texture(model.texture, uv)
    on = np.zeros(len(directions), bool)
    on[frame[hit]] = True
    return picture.reshape(view.height, view.width, 3), on.reshape(view.height, view.width)


def _frame(model: Textured, view: View) -> npt.NDArray[np.bool_]:
    """The pixels (H * W,) that can show the mesh: the rectangle round its projection."""
    u, v, depth = view.project(model.vertices.astype(np.float64))
    if depth.min() <= 0:
        return np.ones(view.height * view.width, bool)
    rows, columns = np.arange(view.height)[:, None], np.arange(view.width)[None]
    inside = (columns >= u.min() - 2) & (columns <= u.max() + 1) & (rows >= v.min() - 2) & (rows <= v.max() + 1)
    return np.asarray(inside.ravel())


def psnr(folder: pathlib.Path, capture: Capture, model: Textured, shots: tuple[View, ...]) -> float:
    """Object-only, colour-corrected PSNR in dB over all pixels of `shots` together.

    Object pixels are those of the mask (without masks: those that the mesh covers). Where the mesh misses the object,
    mid-grey is compared, so that holes cost. The light of a photo costs nothing (`in_light_of`).
    """
    tracer = Tracer(model.vertices, model.faces)
    error, count = 0.0, 0
    for view in shots:
        small = view.scaled(_MEASURE_PX)
        rgba = views.image(folder, small)
        drawn, on = draw(model, small, tracer)
        drawn[~on] = _MISSING_GREY
        where = on if capture.masks == "none" else rgba[..., 3] > 250
        if capture.masks == "none" and on.sum() < 0.01 * on.size:
            where = np.ones_like(on)
        both = on & where
        drawn[both] = in_light_of(drawn[both], rgba[both][:, :3])
        gap = (drawn[where] - rgba[where][:, :3].astype(np.float32)) / 255
        error += float((gap**2).sum())
        count += gap.size
    return float(-10 * np.log10(max(error / max(count, 1), 1e-10)))


def in_light_of(drawn: Floats, photo: npt.NDArray[np.number]) -> Floats:
    """Drawn colours (N, 3), each channel by the one factor, at most two, that brings it nearest to the photo's (N, 3).

    A flash is brighter on what faces it: even photos that were evened by their common points differ as wholes from a
    texture that took the best of each.
    """
    like, own = (drawn * photo).sum(axis=0), (drawn**2).sum(axis=0)
    gain = np.clip(like / np.maximum(own, 1e-9), 1 / _MAX_GAIN, _MAX_GAIN)
    return np.asarray(drawn * gain, np.float32)
