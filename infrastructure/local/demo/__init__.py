"""`make run`: the main job on real input, through the public HTTP API."""
