"""Sweeps the settings, picks some, and writes the section."""

from collections.abc import Callable
from dataclasses import dataclass

from tests.bench.results import Entry, Section, Table, percentile
from tests.bench.simulation import arrivals, containers, machines
from tests.bench.simulation.warm import MailContext, Outcome, Settings

TITLE = "Image queues, simulated"
SEEDS = (1, 2, 3)
HOURS = 12.0
MOST = 8
QUIET = {"per_minute": 0.05, "bursts_per_hour": 0.3}
"""A tenth of the orders: workers have left between them."""
CHOSEN = Settings(idle=600, micro_batch=4, target=180, most=MOST)
"""As the templates set: ImageIdleSeconds, MICRO_BATCH, ImageWaitSeconds, MaxImageWorkers."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Of all seeds together. Waiting in seconds, cost in dollars a thousand pictures."""

    p50: float
    p95: float
    cost: float
    workers: int

    @property
    def worth(self) -> float:
        """What is kept small by the choice: each tenth of a dollar weighs as much as a second at the median and at
        the 95th percentile ten.
        """
        return 10 * self.cost + self.p50 + self.p95 / 10


def measure() -> Section:
    """Some thousand orders each; nothing here depends on the machine."""
    ours = _of(CHOSEN)
    peer = _over_seeds(lambda seed: containers.run(arrivals.bursty(seed, HOURS), MOST))
    overflow = Settings(CHOSEN.idle, CHOSEN.micro_batch, CHOSEN.target, MOST, overflow=True)
    quiet, over = _of(CHOSEN, **QUIET), _of(overflow, **QUIET)
    fair, unfair = _of_small(fair=True), _of_small(fair=False)
    swept = {settings: _of(settings) for settings in _sweep()}
    best = min(swept, key=lambda settings: swept[settings].worth)
    return Section(
        TITLE,
        f"Seeded bursty orders of pictures ({HOURS:.0f} hours, seeds {', '.join(map(str, SEEDS))}; half an order a "
        "minute and four bursts an hour of 4 to 60 orders), FLUX.1-schnell at one megapixel on g6.2xlarge, at most "
        f"{MOST} machines. Waiting is from the order to the begin of drawing. Assumed: {machines.BOOT:.0f} s to boot a "
        f"machine, {machines.CONTAINER:.0f} s for a container, {machines.LOAD:.0f} s to load the model, "
        f"{machines.PICTURE:.1f} s a picture, {machines.EACH_MORE:.0%} of that for each further one of a micro-batch, "
        f"{machines.LINGER:.0f} s that Batch keeps an idle machine. Workers are started by the product's own "
        "`fleet.to_start`. Peer: one container a job on the same machines.",
        (
            Entry("Waiting, p50", ours.p50, peer.p50, 0.5, "s", _note(CHOSEN)),
            Entry("Waiting, p95", ours.p95, peer.p95, 1.0, "s"),
            Entry("Cost of 1000 pictures", ours.cost, peer.cost, 1.0, "USD"),
            Entry("Waiting of a small org beside a flood, p95", fair, unfair, 0.5, "s", "peer: first in, first out"),
            Entry(
                "Waiting on a quiet day with overflow while cold, p50", over.p50, quiet.p50, 0.5, "s", "peer: without"
            ),
            Entry("Cost of 1000 pictures then", over.cost, quiet.cost, None, "USD", "peer: without"),
            Entry(
                "Worth of the chosen settings beside the best of the sweep",
                ours.worth,
                swept[best].worth,
                1.1,
                "",
                f"best: {_note(best)}",
            ),
        ),
        (
            Table(
                "Settings",
                ("idle s", "micro-batch", "target s", "p50 s", "p95 s", "USD a 1000", "workers started", "worth"),
                tuple(_row(settings, seen) for settings, seen in sorted(swept.items(), key=lambda item: item[1].worth)),
            ),
        ),
    )


def _sweep() -> list[Settings]:
    return [
        Settings(idle, micro_batch, target, MOST)
        for idle in (60, 180, 300, 600, 1200)
        for micro_batch in (1, 4, 8)
        for target in (20, 60, 180)
    ]


def _of(settings: Settings, **rates: float) -> Seen:
    return _over_seeds(lambda seed: MailContext(arrivals.bursty(seed, HOURS, **rates), settings).run())


def _over_seeds(run: Callable[[int], Outcome]) -> Seen:
    outcomes = [run(seed) for seed in SEEDS]
    waits = [wait for outcome in outcomes for wait in outcome.waits]
    pictures = sum(outcome.pictures for outcome in outcomes)
    cost = 1000 * sum(outcome.dollars for outcome in outcomes) / pictures
    workers = sum(outcome.workers for outcome in outcomes)
    return Seen(percentile(waits, 0.5), percentile(waits, 0.95), cost, workers)


def _of_small(*, fair: bool) -> float:
    """The small org's p95 while another one floods the queue, with one worker already there."""
    waits: list[float] = []
    for seed in SEEDS:
        orders = arrivals.flood(seed)
        MailContext(orders, Settings(CHOSEN.idle, CHOSEN.micro_batch, CHOSEN.target, 1, fair=fair)).run()
        waits += [order.begun - order.at for order in orders if order.org == "small" and order.at > 180]
    return percentile(waits, 0.95)


def _note(settings: Settings) -> str:
    return f"idle {settings.idle:.0f} s, micro-batch {settings.micro_batch}, target {settings.target:.0f} s"


def _row(settings: Settings, seen: Seen) -> tuple[str, ...]:
    numbers = (f"{seen.p50:.0f}", f"{seen.p95:.0f}", f"{seen.cost:.2f}", str(seen.workers), f"{seen.worth:.0f}")
    mark = " (chosen)" if settings == CHOSEN else ""
    return f"{settings.idle:.0f}{mark}", str(settings.micro_batch), f"{settings.target:.0f}", *numbers
