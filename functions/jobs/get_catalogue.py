"""GET /v1/catalogue"""

from snapforge.http import endpoint
from snapforge.jobs.schemas import Catalogue
from snapforge.jobs.service.submission import catalogue


@endpoint("GET /v1/catalogue", public=True)
def handler() -> Catalogue:
    """What can be ordered here: image models with their sizes and bounds, styles, presets, priorities, list prices."""
    return catalogue.catalogue()
