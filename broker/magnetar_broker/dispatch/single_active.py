"""Exclusive and Failover: one consumer gets everything; who, and from when on."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from magnetar_broker.dispatch.active_consumer import choose_active

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer


class Change(Enum):
    """What the coming or going of a consumer means for reading."""

    NONE = "the same consumer stays active"
    TAKE_OVER = "another is active, and nobody else can still be acknowledging"
    DISPLACE = "another is active while the one before is still connected"
    EMPTY = "no consumer is left"


class SingleActiveCore:
    """Knows the consumers and which of them is active."""

    def __init__(self, topic_name: str, partition_index: int) -> None:
        self._topic_name = topic_name
        self._partition_index = partition_index
        self.consumers: list[Consumer] = []
        self.active: Consumer | None = None

    def add(self, consumer: Consumer) -> Change:
        self.consumers.append(consumer)
        return self._choose()

    def remove(self, consumer: Consumer) -> Change:
        self.consumers.remove(consumer)
        return self._choose()

    def announce(self) -> None:
        """Tell all Failover consumers who is active."""
        for consumer in self.consumers:
            consumer.send_active_change(consumer is self.active)

    def _choose(self) -> Change:
        before, self.active = self.active, self._chosen()
        if self.active is None:
            return Change.EMPTY
        if self.active is before:
            return Change.NONE
        return Change.DISPLACE if before in self.consumers else Change.TAKE_OVER

    def _chosen(self) -> Consumer | None:
        if not self.consumers:
            return None
        ranks = [(consumer.priority_level, consumer.name) for consumer in self.consumers]
        return self.consumers[choose_active(ranks, self._topic_name, self._partition_index)]
