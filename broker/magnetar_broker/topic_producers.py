"""The producers of a topic: who is attached, who waits to be, and who has to go."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final, Protocol

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker.errors import (
    BrokerError,
    MetadataFailedError,
    ProducerBusyError,
    ProducerFencedError,
    ServiceNotReadyError,
)
from magnetar_broker.producer_access import Claim, ProducerAccess

if TYPE_CHECKING:
    from magnetar_broker.producer import Producer
    from magnetar_broker.topic import Topic

EPOCH_PROPERTY: Final = "pulsar.topic.epoch"
"""The property of a topic's ledger in which Pulsar keeps the topic epoch."""


class Waiter(Protocol):
    """Hears what becomes of a producer that waits for its topic."""

    def turn_came(self) -> None:
        """The producer is the owner now; whoever waited calls `TopicProducers.enter`."""

    def refused(self, error: BrokerError) -> None:
        """It waits no longer."""


class TopicProducers:
    """Attributes:
    by_name: Who is attached.
    """

    def __init__(
        self,
        topic: Topic,
        properties: Mapping[str, str],
        keep_property: Callable[[str, str], Awaitable[None]],
    ) -> None:
        """
        Args:
            properties: Those that are kept of the topic.
            keep_property: Keeps one of them.

        Raises:
            MetadataFailedError: The epoch that is kept cannot be read.
        """
        self.by_name: dict[str, Producer] = {}
        self._topic = topic
        self._keep_property = keep_property
        self._kept_epoch = _epoch_of(topic, properties)
        self._access = ProducerAccess(self._kept_epoch)
        self._waiters: dict[Producer, Waiter] = {}

    @property
    def epoch(self) -> int | None:
        """How many owners the topic has had, but for one; None if none."""
        return self._access.epoch

    @property
    def waiting(self) -> int:
        """How many producers wait to own the topic."""
        return len(self._waiters)

    async def attach(self, producer: Producer, waiter: Waiter) -> bool:
        """Attach a producer; False if it has to wait, of which `waiter` hears more.

        Raises:
            BrokerError: the topic cannot take the producer.
            LedgerError: its epoch could not be kept.
        """
        await self._drop_dead_namesake(producer)
        await self._topic.backlog.check_producer()
        self._topic.check_attachable()
        self._check_storage()
        namesake = self.by_name.get(producer.name)
        replaced = namesake if namesake and namesake.replaced_by(producer) else None
        self._check_room(producer, replaced)
        claim = self._access.claim(producer, self.by_name.values(), replaced)
        if claim is Claim.WAIT:
            self._waiters[producer] = waiter
            return False
        if claim is Claim.OWN:
            self._fence_out_others(replaced)
            await self.enter(producer)
            return True
        if namesake is not replaced:
            raise _name_taken(producer)
        self._put(producer)
        return True

    async def _drop_dead_namesake(self, producer: Producer) -> None:
        """Look whether the present owner of the name still lives, when that decides something."""
        namesake = self.by_name.get(producer.name)
        if (
            namesake is not None
            and namesake.connection is not producer.connection
            and producer.access_mode != api.ProducerAccessMode.ExclusiveWithFencing
            and not await namesake.connection.check_alive()
        ):
            self.remove(namesake)

    def _check_storage(self) -> None:
        """Refuse newcomers while nothing can be stored.

        A client that comes again after a failed send would send again at once, fail, and close
        its connection with the consumers on it, ten times a second. Refused, it waits ever longer.
        """
        topic = self._topic
        if topic.name.persistent and not topic.service.takes_entries():
            raise ServiceNotReadyError(
                f"Topic {topic.name} takes no messages: the storage is full; retry later"
            )

    def _check_room(self, producer: Producer, replaced: Producer | None) -> None:
        limit = self._topic.policies.max_producers
        alone = producer.access_mode == api.ProducerAccessMode.ExclusiveWithFencing
        if not limit or replaced is not None or alone:
            return
        if len(self.by_name) + len(self._waiters) >= limit:
            raise ProducerBusyError(f"Topic {self._topic.name} has {limit} producers, its maximum")

    async def enter(self, owner: Producer) -> None:
        """Attach the owner once its epoch is kept. Raises as `attach` does."""
        epoch = self._access.epoch
        assert epoch is not None
        try:
            if epoch != self._kept_epoch:
                await self._keep_property(EPOCH_PROPERTY, str(epoch))
                self._kept_epoch = max(epoch, self._kept_epoch or 0)
            self._topic.check_attachable()
            if self._access.owner is not owner:
                raise _fenced_out(owner)
        except BaseException:
            self.remove(owner)
            raise
        self._put(owner)

    def _put(self, producer: Producer) -> None:
        replaced = self.by_name.get(producer.name)
        if replaced is not None:
            replaced.closed = True
        self.by_name[producer.name] = producer

    def _fence_out_others(self, replaced: Producer | None) -> None:
        waiters, self._waiters = self._waiters, {}
        for producer, waiter in waiters.items():
            self._access.release(producer)
            waiter.refused(_fenced_out(producer))
        for producer in list(self.by_name.values()):
            if producer is not replaced:
                producer.fence_out()

    def remove(self, producer: Producer) -> None:
        """Detach one that is attached, waits, or owns the topic and is not yet attached."""
        producer.closed = True
        if self.by_name.get(producer.name) is producer:
            del self.by_name[producer.name]
        self._waiters.pop(producer, None)
        self._access.release(producer)
        self._promote()

    def _promote(self) -> None:
        if self.by_name or not self._topic.attachable:
            return
        owner = self._access.next_owner()
        if owner is not None:
            self._waiters.pop(owner).turn_came()

    def close_all(self) -> None:
        """Send all elsewhere, those who wait too."""
        waiters, self._waiters = self._waiters, {}
        for producer, waiter in waiters.items():
            self._access.release(producer)
            waiter.refused(
                ServiceNotReadyError(
                    f"Topic {self._topic.name} is being closed or recovers; look it up again"
                )
            )
        for producer in list(self.by_name.values()):
            producer.close_by_broker()


def _epoch_of(topic: Topic, properties: Mapping[str, str]) -> int | None:
    text = properties.get(EPOCH_PROPERTY)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise MetadataFailedError(
            f"Property {EPOCH_PROPERTY} of topic {topic.name} is '{text}', which is no number"
        ) from error


def _fenced_out(producer: Producer) -> BrokerError:
    return ProducerFencedError(
        f"Fenced out: another producer took topic {producer.topic.name} for itself"
    )


def _name_taken(producer: Producer) -> BrokerError:
    return ProducerBusyError(
        f"Producer with name '{producer.name}' is already connected to topic {producer.topic.name}"
    )
