"""Tickets of the queue `providers`: pictures that others draw, kept below the attempt's prefix and told of as a worker
does. What a worker of ours does on a GPU is in gpu_batch/worker/warm; the contract of both is contracts/tickets.py.
"""

import threading
import time
from functools import partial

from snapforge import observe
from snapforge.aws import s3, secrets
from snapforge.contracts.manifest import ImageWork, Manifest
from snapforge.contracts.tickets import CANCELED, RESULT, Ticket
from snapforge.jobs.domain.catalogue.images import IMAGE_MODELS
from snapforge.jobs.domain.catalogue.providers import Served, served
from snapforge.jobs.service.fleet.provider_jobs import claims
from snapforge.jobs.service.fleet.provider_jobs.gallery import Gallery
from snapforge.jobs.service.fleet.provider_jobs.reporting import Teller
from snapforge.kit import clock
from snapforge.providers import base, registry
from snapforge.providers.base import Drawn, PictureRequest, ProviderError

RESERVE_SECONDS = 30.0
"""Kept back from the function's time, to write and tell how it ended."""


def draw_ticket(ticket: Ticket, *, message_id: str, seconds: float) -> None:
    """Draw what a ticket asks for, within `seconds`; all but errors of AWS itself is told to the reports queue.

    A message that comes again goes on where its first delivery was lost; one whose attempt another has claimed, or that
    nobody wants any more, changes nothing.
    """
    manifest = Manifest.model_validate_json(s3.get(ticket.manifest_uri))
    name, work = ticket.provider, manifest.work
    if name is None or not isinstance(work, ImageWork):
        raise ValueError(f"{ticket.manifest_uri} is no order of pictures from a provider")
    owner = f"{name}-{message_id}"
    if s3.exists(manifest.output_uri + CANCELED) or not claims.take(manifest.output_uri, owner):
        return
    teller = Teller(manifest, owner)
    if s3.exists(manifest.output_uri + RESULT):
        teller.done()
        return
    left = min(seconds, (manifest.deadline - clock.now()).total_seconds()) - RESERVE_SECONDS
    _draw(manifest, work, name, teller, until=time.monotonic() + left)


def _draw(manifest: Manifest, work: ImageWork, name: str, teller: Teller, *, until: float) -> None:
    offer = served(name, model=work.model, width=work.width, height=work.height, steps=work.steps)
    gallery = Gallery(manifest.output_uri, work, name, offer.cost_micro_usd(work.width, work.height) if offer else 0)
    try:
        if offer is None:
            raise base.misconfigured(name, f"{work.model} with {work.steps} steps is not served")
        with claims.beating(manifest.output_uri, gallery.unwanted):
            gallery.draw(partial(_draw_one, work, name, offer, until, gallery.unwanted), teller.progress)
    except ProviderError as error:
        said = _without_prompt(error.said, work)
        observe.logger().warning("provider %s left %s, %s: %s", name, manifest.job_id, error.code, said)
        teller.failed(error, gallery.write("partial.json", teller, ()))
        return
    notes: tuple[str, ...] = ()
    if work.negative_prompt and not offer.negative_prompt:
        notes = ("This model knows no negative prompt; it was left out.",)
    gallery.write(RESULT, teller, notes)
    teller.done()


def _draw_one(work: ImageWork, name: str, offer: Served, until: float, unwanted: threading.Event, seed: int) -> Drawn:
    model = IMAGE_MODELS[work.model]
    native = {size: aspect for aspect, size in model.sizes.items()}
    try:
        provider = registry.provider(name, secrets.read("providers"))
    except KeyError:
        raise base.misconfigured(name, "no key in the secret") from None
    request = PictureRequest(
        model=offer.name,
        prompt=work.prompt,
        negative_prompt=work.negative_prompt if offer.negative_prompt else "",
        width=work.width,
        height=work.height,
        aspect=native.get((work.width, work.height)),
        steps=work.steps,
        guidance=None if work.guidance == model.guidance.default else work.guidance,
        seed=seed,
    )
    return provider.draw(request, until=until, unwanted=unwanted)


def _without_prompt(said: str, work: ImageWork) -> str:
    return said.replace(work.prompt, "…")


__all__ = ["draw_ticket"]
