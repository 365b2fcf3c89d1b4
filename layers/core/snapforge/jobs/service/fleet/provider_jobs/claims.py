"""An attempt's claim and its beats, as contracts/tickets.py asks of whoever works on one."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from snapforge.aws import s3
from snapforge.aws.errors import AwsError
from snapforge.contracts.tickets import BEAT, BEAT_SECONDS, CANCELED, CLAIM
from snapforge.jobs.service.fleet import tickets
from snapforge.kit import clock

LOOK_SECONDS = 5.0
"""How often it is looked whether somebody still wants it."""
_JSON = "application/json"


def take(prefix: str, owner: str) -> bool:
    """Claim the attempt; False where it is another's, or our own message is at work on it somewhere else.

    Ours again, and silent for LOST_SECONDS: then the earlier delivery died, and this one goes on.
    """
    if s3.put_first(prefix + CLAIM, _stamp(batch_job_id=owner), _JSON):
        return True
    return tickets.claimant(prefix) == owner and tickets.silent(prefix, clock.now())


@contextmanager
def beating(prefix: str, unwanted: threading.Event) -> Iterator[None]:
    """Beat while the body works, and set `unwanted` when nobody wants the attempt any more."""
    ended = threading.Event()
    s3.put(prefix + BEAT, _stamp(), _JSON)

    def beat() -> None:
        looks = 0
        while not ended.wait(LOOK_SECONDS):
            looks += 1
            try:
                if s3.exists(prefix + CANCELED):
                    unwanted.set()
                if looks * LOOK_SECONDS % BEAT_SECONDS < LOOK_SECONDS:
                    s3.put(prefix + BEAT, _stamp(), _JSON)
            except AwsError:
                continue  # the next beat may come through; LOST_SECONDS are several

    thread = threading.Thread(target=beat, name="beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _stamp(**more: str) -> bytes:
    return json.dumps({**more, "at": clock.rfc3339(clock.now())}).encode()
