"""Photos to a textured model: pycolmap poses, a small nerfstudio field, own fusion, own texturing.

Files between the stages lie in one folder; each module says what it reads and writes.
Frames: cameras look along +z with x right and y down (OpenCV); the world has z up and the object around the origin.
"""

import os

# Torch's OpenMP threads spin while they wait. Where other processes share the cores that makes a training step ten
# times slower; asleep they cost nothing measurable on an idle machine. Read when torch is loaded, so it is set first.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
