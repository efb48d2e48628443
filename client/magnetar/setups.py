"""The producers and the consumers of one client, each kind loaded when the first is opened.

Together they are most of the SDK: who only sends pays for no consumer at the import, nor the other
way round.
"""

import random
from typing import TYPE_CHECKING

from magnetar_runtime.clock import Clock
from magnetar_runtime.scope import TaskScope

from magnetar.errors import PulsarException
from magnetar.lookup import Lookup

if TYPE_CHECKING:
    from magnetar.consumer_setup import ConsumerSetup
    from magnetar.dead_letters import MakeProducer
    from magnetar.producer_setup import ProducerSetup


class Setups:
    """What opens producers and consumers, and knows those that are open.

    Args:
        lookup: where topics are.
        scope: of what they do beside their callers.
        clock, rng: what tells the time and what is left to chance.
        timeout_s: for opening and closing.
        make_producer: `Client.create_producer`, for dead letters.
    """

    def __init__(
        self,
        lookup: Lookup,
        scope: TaskScope,
        clock: Clock,
        rng: random.Random,
        timeout_s: float,
        make_producer: "MakeProducer",
    ) -> None:
        self._for_producers = (lookup, scope, clock, rng, timeout_s)
        self._for_consumers = (lookup, scope, rng, timeout_s, make_producer)
        self._producers: ProducerSetup | None = None
        self._consumers: ConsumerSetup | None = None

    @property
    def producers(self) -> "ProducerSetup":
        """What opens producers."""
        if self._producers is None:
            from magnetar.producer_setup import ProducerSetup

            self._producers = ProducerSetup(*self._for_producers)
        return self._producers

    @property
    def consumers(self) -> "ConsumerSetup":
        """What opens consumers."""
        if self._consumers is None:
            from magnetar.consumer_setup import ConsumerSetup

            self._consumers = ConsumerSetup(*self._for_consumers)
        return self._consumers

    @property
    def _loaded(self) -> "list[ConsumerSetup | ProducerSetup]":
        """Consumers first: their dead letters go through producers."""
        return [each for each in (self._consumers, self._producers) if each is not None]

    async def grow(self) -> None:
        """Open what is missing for partitions that are new."""
        for each in reversed(self._loaded):
            await each.grow()

    async def close(self) -> None:
        """Close all."""
        for each in self._loaded:
            await each.close()

    def end(self, error: PulsarException) -> None:
        """End all at once."""
        for each in self._loaded:
            each.end(error)

    def forked(self, error: PulsarException) -> None:
        """Mark all as dead, and touch nothing else."""
        for each in self._loaded:
            each.forked(error)
