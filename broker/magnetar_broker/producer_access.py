"""Who may publish to a topic: the rules of the four access modes, without doing anything."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from magnetar_proto import pulsar_api_pb2 as api

from magnetar_broker.errors import ProducerBusyError, ProducerFencedError

if TYPE_CHECKING:
    from magnetar_broker.producer import Producer

_SIGN: Final = 1 << 63


class Claim(Enum):
    """What a newcomer gets."""

    JOIN = auto()
    """It publishes beside the others."""
    OWN = auto()
    """It has the topic for itself as soon as its epoch is kept."""
    WAIT = auto()
    """It owns the topic when all before it have left."""


class ProducerAccess:
    """One topic's owner and epoch.

    The epoch counts the owners. An owner that comes again brings the epoch it had: a lower one than
    the topic's means that there was another owner in between, who must not be overwritten.

    Attributes:
        owner: Has the topic for itself, from the decision on.
        waiting: Those who want to, in turn.
        epoch: That of the latest owner; None before the first.
    """

    def __init__(self, epoch: int | None) -> None:
        self.owner: Producer | None = None
        self.waiting: dict[Producer, None] = {}
        self.epoch = epoch

    def claim(
        self, newcomer: Producer, present: Collection[Producer], replaced: Producer | None = None
    ) -> Claim:
        """What a newcomer gets. With `OWN` it is the owner from now on, and the others must go.

        Args:
            present: Who is attached.
            replaced: Of those, the one whose place the newcomer takes.

        Raises:
            ProducerBusyError: Somebody has, or waits to have, the topic for itself.
            ProducerFencedError: It cannot be alone, or there was another owner since it was one.
        """
        mode = newcomer.access_mode
        taken = bool(self.waiting) or self.owner not in (None, replaced)
        crowded = taken or any(each is not replaced for each in present)
        if mode == api.ProducerAccessMode.Shared:
            if taken:
                raise ProducerBusyError(self._owned(newcomer))
            self.owner = None  # if any, it was the one that is replaced
            return Claim.JOIN
        if mode == api.ProducerAccessMode.WaitForExclusive and crowded:
            self.waiting[newcomer] = None
            return Claim.WAIT
        if mode == api.ProducerAccessMode.Exclusive and crowded:
            shared = f"Topic {newcomer.topic.name} has existing shared producers"
            raise ProducerFencedError(self._owned(newcomer) if taken else shared)
        self._check_epoch(newcomer)
        self._own(newcomer)
        return Claim.OWN

    def release(self, producer: Producer) -> None:
        """Somebody left, or does not want any more."""
        self.waiting.pop(producer, None)
        if self.owner is producer:
            self.owner = None

    def next_owner(self) -> Producer | None:
        """The first who waits, owner from now on; nobody else must be attached."""
        if self.owner is not None or not self.waiting:
            return None
        producer = next(iter(self.waiting))
        del self.waiting[producer]
        self._own(producer)
        return producer

    def _own(self, producer: Producer) -> None:
        self.owner = producer
        asked = _asked_epoch(producer)
        # While it waited, there may have been owners since the epoch that it came with.
        if asked is None or asked < (self.epoch or 0):
            asked = 0 if self.epoch is None else self.epoch + 1
        self.epoch = asked

    def _check_epoch(self, newcomer: Producer) -> None:
        asked = _asked_epoch(newcomer)
        if asked is not None and asked < (self.epoch or 0):
            raise ProducerFencedError(
                f"Topic epoch has already moved. Current epoch: {self.epoch}, "
                f"Producer epoch: {asked}"
            )

    def _owned(self, newcomer: Producer) -> str:
        owner = self.owner or next(iter(self.waiting))
        return f"Topic {newcomer.topic.name} has an existing exclusive producer: {owner.name}"


def _asked_epoch(producer: Producer) -> int | None:
    """The epoch that it had, signed as Java reads it and metadata can hold it."""
    epoch = producer.topic_epoch
    return epoch if epoch is None or epoch < _SIGN else epoch - 2 * _SIGN
