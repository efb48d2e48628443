"""What a subscription asks of either kind of dispatcher."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from magnetar_ledger.position import Position

if TYPE_CHECKING:
    from magnetar_broker.consumer import Consumer


class Dispatcher(Protocol):
    """Reads entries behind the cursor and sends them to consumers."""

    @property
    def consumers(self) -> Sequence[Consumer]:
        """All that are attached."""

    def add(self, consumer: Consumer) -> None:
        """A consumer is let in; its client is told next."""

    def remove(self, consumer: Consumer) -> None:
        """A consumer left."""

    def may_unsubscribe(self, consumer: Consumer) -> bool:
        """Whether the consumer has the subscription for itself."""

    def flow(self, consumer: Consumer, permits: int) -> None:
        """A client has room for more messages."""

    def redeliver(self, consumer: Consumer, positions: Iterable[Position] | None) -> None:
        """A client gives entries back; all of them if `positions` is None."""

    def acked(self, consumer: Consumer, position: Position, remaining: int) -> None:
        """One entry was acked down to so many messages. `acks_done` follows after a batch."""

    def acks_done(self) -> None:
        """The acks of one command are all in."""

    def dispatch(self) -> None:
        """Send what can be sent now."""

    def close(self) -> None:
        """Stop for good: no read, no timer is left that does anything."""
