"""The house of warm workers: tickets, the keeper's real decision, micro-batches."""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from snapforge.jobs.domain import fleet
from snapforge.jobs.domain.fleet import Policy, Waiting, Workers
from tests.bench.simulation import machines
from tests.bench.simulation.arrivals import Order

SCHEDULE = 60.0
AHEAD = 4
"""Micro-batches that a worker has in hand, as `worker.warm`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the templates set."""

    idle: float
    micro_batch: int
    target: float
    most: int = 8
    fair: bool = True
    overflow: bool = False
    """Orders that come while no worker runs go to a provider."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulated time cost and how long orders waited, from order to the begin of drawing."""

    waits: tuple[float, ...]
    dollars: float
    pictures: int
    workers: int


class MailContext:
    """One run. Events are (time, number, what to do)."""

    def __init__(self, orders: Sequence[Order], settings: Settings) -> None:
        self.orders, self.settings = orders, settings
        self.policy = Policy(settings.target, settings.most)
        self.now = 0.0
        self.waiting: list[Order] = []
        """In the queue; oldest first."""
        self.hands: dict[int, list[Order]] = {}
        """What each worker has received and not begun."""
        self.running: dict[int, float] = {}
        """Since when each worker that runs is idle; infinite while it draws."""
        self.starting = 0
        self.started = 0
        self.free_instances: list[float] = []
        """Until when instances linger."""
        self.seconds = 0.0
        self.provided = 0
        self.at_work: Counter[str] = Counter()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def run(self) -> Outcome:
        """To the end of the last order."""
        for order in self.orders:
            self._at(order.at, lambda order=order: self._arrive(order))  # type: ignore[misc]
        end = self.orders[-1].at + 3600
        for minute in range(int(end / SCHEDULE)):
            self._at(minute * SCHEDULE, self._keep)
        while self._events:
            self.now, _, deed = heapq.heappop(self._events)
            deed()
        pictures = sum(order.pictures for order in self.orders)
        paid = machines.dollars(self.seconds) + self.provided * machines.PROVIDER_DOLLARS
        return Outcome(tuple(order.begun - order.at for order in self.orders), paid, pictures, self.started)

    def _at(self, time: float, deed: Callable[[], None]) -> None:
        heapq.heappush(self._events, (time, next(self._numbers), deed))

    def _arrive(self, order: Order) -> None:
        if self.settings.overflow and not self.running:
            order.begun, order.ended = self.now, self.now + machines.PROVIDER_SECONDS
            self.provided += order.pictures
            self._keep(beside=order)
            return
        self.waiting.append(order)
        for worker, since in self.running.items():
            if since <= self.now:
                self._take(worker)
                return
        if fleet.is_milestone(len(self.waiting)):
            self._keep()

    def _keep(self, beside: Order | None = None) -> None:
        in_hand = [order for hand in self.hands.values() for order in hand]
        found = [*self.waiting, *in_hand, *([beside] if beside else [])]
        waiting = Waiting(
            tickets=len(found),
            seconds=sum(order.pictures for order in found) * machines.PICTURE,
            oldest=max((self.now - order.at for order in found), default=0.0),
        )
        workers = Workers(len(self.running), self.starting)
        for _ in range(fleet.to_start(waiting, workers, self.policy)):
            self._start()

    def _start(self) -> None:
        worker = self.started = self.started + 1
        self.starting += 1
        self.free_instances = [until for until in self.free_instances if until > self.now]
        warm = bool(self.free_instances)
        if warm:
            # It was paid for up to the end of its lingering.
            self.seconds -= self.free_instances.pop() - self.now
        began = self.now
        ready = self.now + (0 if warm else machines.BOOT) + machines.CONTAINER + machines.LOAD
        self._at(ready, lambda: self._ready(worker, began))

    def _ready(self, worker: int, began: float) -> None:
        self.starting -= 1
        self.running[worker] = self.now
        # What it costs until it leaves is added then.
        self.seconds -= began
        self._take(worker)

    def _take(self, worker: int) -> None:
        batch = self._micro_batch(self.hands.setdefault(worker, []))
        if not batch:
            self.running[worker] = since = self.now
            self._at(self.now + self.settings.idle, lambda: self._leave(worker, since))
            return
        self.running[worker] = float("inf")
        for order in batch:
            order.begun = self.now
        pictures = sum(order.pictures for order in batch)
        full, rest = divmod(pictures, self.settings.micro_batch)
        seconds = full * machines.drawing(self.settings.micro_batch) + (machines.drawing(rest) if rest else 0)
        self._at(self.now + seconds, lambda: self._drawn(worker, batch))

    def _micro_batch(self, hand: list[Order]) -> list[Order]:
        """The first ticket in hand, and others of its group as they fit; the hand is filled first."""
        self._receive(hand)
        if not hand:
            return []
        first = hand[0]
        batch, room = [first], self.settings.micro_batch - first.pictures
        for other in hand[1:]:
            if other.group == first.group and other.pictures <= room:
                batch.append(other)
                room -= other.pictures
        taken = set(map(id, batch))
        hand[:] = [one for one in hand if id(one) not in taken]
        return batch

    def _receive(self, hand: list[Order]) -> None:
        """By the fair rule of SQS a ticket of the org with the least in flight comes first, then age decides."""
        room = AHEAD * self.settings.micro_batch - sum(order.pictures for order in hand)
        while self.waiting and room > 0:
            order = min(self.waiting, key=self._rank) if self.settings.fair else self.waiting[0]
            self.waiting.remove(order)
            self.at_work[order.org] += 1
            hand.append(order)
            room -= order.pictures

    def _rank(self, order: Order) -> tuple[int, float]:
        return self.at_work[order.org], order.at

    def _drawn(self, worker: int, batch: list[Order]) -> None:
        for order in batch:
            order.ended = self.now
            self.at_work[order.org] -= 1
        self._take(worker)

    def _leave(self, worker: int, since: float) -> None:
        if self.running.get(worker) == since:
            del self.running[worker]
            self.hands.pop(worker, None)
            self.seconds += self.now + machines.LINGER
            self.free_instances.append(self.now + machines.LINGER)
            if self.waiting:
                self._keep()
