"""Looks at the counters of all that is loaded, now and then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from magnetar_runtime.slices import Slices

from magnetar_broker.stats.meter import Meter

if TYPE_CHECKING:
    from magnetar_runtime.clock import Clock

    from magnetar_broker.topic import Topic


class Measured(Protocol):
    """A topic, producer, subscription or consumer."""

    @property
    def counters(self) -> Sequence[int]:
        """Always as many, that only grow."""


_MOST_COUNTERS: Final = 4


class StatsSampler:
    """Nothing of the way of a message knows of it: it reads plain counters."""

    def __init__(self, topics: Mapping[str, Topic], clock: Clock) -> None:
        self._topics = topics
        self._clock = clock
        self._meters: dict[Measured, Meter] = {}
        self._sampled_ns = clock.monotonic_ns()
        self._nothing = Meter(_MOST_COUNTERS, 0)

    def meter_of(self, measured: Measured) -> Meter:
        """What was measured of it; zeros until the first look at it."""
        return self._meters.get(measured, self._nothing)

    async def sample(self) -> None:
        """Look at all; meters of what is gone go too."""
        meters: dict[Measured, Meter] = {}
        slices, began_ns = Slices(self._clock), self._clock.monotonic_ns()
        for topic in list(self._topics.values()):
            await slices.breathe()
            now_ns, wall_ms = self._clock.monotonic_ns(), self._clock.wall_ms()
            topic.publishing.cells.roll()
            for measured in _measured_of(topic):
                totals = measured.counters
                meter = self._meters.get(measured)
                if meter is None:
                    meter = Meter(len(totals), self._sampled_ns)
                meter.look(totals, now_ns, wall_ms)
                meters[measured] = meter
        self._meters, self._sampled_ns = meters, began_ns


def _measured_of(topic: Topic) -> Iterator[Measured]:
    yield topic
    yield from topic.producers.values()
    for subscription in topic.subscriptions.values():
        yield subscription
        yield from subscription.consumers
