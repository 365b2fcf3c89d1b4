"""Photos of an object of our own, as a customer would upload them, with the truth beside them.

Runs in `.venvs/scene` (trimesh, embreex, scikit-image, scipy).
"""

from infrastructure.local.demo.render.studio import Background, render_photos

__all__ = ["Background", "render_photos"]
