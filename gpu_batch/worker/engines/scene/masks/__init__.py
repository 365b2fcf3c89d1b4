"""Which pixels show the object.

Before the poses, from one photo or from the whole set: `plain` (a plain border, then GrabCut), `still` (a background
that stands still while the object turns), `segmenter` (a model from the weights folder), or the photos' own alpha;
`first` chooses. After the poses: `outline` holds the masks of all photos against each other, and makes them from the
sparse cloud where there are none. Masks lie in a folder as files (`store`): nobody holds those of all photos at once.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

Kind = Literal["alpha", "model", "background", "grabcut", "geometry", "none"]
Mask = npt.NDArray[np.uint8]
"""(H, W) of 0 or 255."""

MIN_SHARE, MAX_SHARE = 0.004, 0.92
"""Shares of the picture between which a mask is believed."""
WORK_PX = 512
"""Masks are made on photos with a longer side of at most this."""
