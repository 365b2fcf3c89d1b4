"""Photos to a textured model: pycolmap poses, a small nerfstudio field, own fusion, own texturing.

Files between the stages lie in one folder; each module says what it reads and writes.
Frames: cameras look along +z with x right and y down (OpenCV); the world has z up and the object around the origin.
"""
