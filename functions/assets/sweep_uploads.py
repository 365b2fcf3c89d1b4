"""Each minute: let uploads that never came expire."""

from snapforge.assets.service import uploads
from snapforge.triggers import schedule


@schedule("rate(1 minute)")
def handler() -> dict[str, int]:
    """How many uploads expired."""
    return {"expired": uploads.sweep_uploads()}
