"""How many unacked messages all subscriptions of a broker hold together. Pure."""

from collections.abc import Callable
from typing import Protocol


class Holder(Protocol):
    """Of one subscription.

    Attributes:
        unacked: Messages that its consumers hold.
        held_back: The broker's limit keeps it from sending; set from here.
    """

    unacked: int
    held_back: bool


class UnackedBudget:
    """Above the limit, subscriptions that hold more than their share get nothing more.

    They go on when they are at half of the share, or all together at half of the limit: those that
    ack are not to suffer from those that do not. As Pulsar's `maxUnackedMessagesPerBroker`.

    Attributes:
        unacked: Messages that all hold together; 0 where there is no limit.
        exceeded: Whether the limit was reached, and half of it not since.
    """

    def __init__(self, max_messages: int = 0, subscription_share: float = 0.16) -> None:
        """
        Args:
            max_messages: 0 is no limit.
            subscription_share: Of the limit, what one subscription may hold while it is exceeded.
        """
        self.unacked = 0
        self.exceeded = False
        self._max_messages = max_messages
        self._max_of_one = int(max_messages * subscription_share)
        self._holders: dict[Holder, Callable[[], None]] = {}

    @property
    def limited(self) -> bool:
        """Whether there is a limit: without one, nobody need join."""
        return self._max_messages > 0

    def join(self, holder: Holder, go_on: Callable[[], None]) -> None:
        """A subscription that holds nothing yet; `go_on` is called when it may send again."""
        self._holders[holder] = go_on

    def leave(self, holder: Holder) -> None:
        """A subscription that holds nothing any more."""
        self._holders.pop(holder, None)

    def sent(self, holder: Holder, messages: int) -> None:
        """So many messages went out, and are counted in `holder.unacked`."""
        self.unacked += messages
        if self.exceeded:
            self._hold_back(holder)
        elif self.unacked >= self._max_messages:
            self.exceeded = True
            for each in self._holders:
                self._hold_back(each)

    def released(self, holder: Holder, messages: int) -> None:
        """So many are acked, given back or with a consumer that left."""
        self.unacked -= messages
        if not self.exceeded:
            return
        if 2 * self.unacked < self._max_messages:
            self.exceeded = False
            for each in [each for each in self._holders if each.held_back]:
                self._let_go(each)
        elif holder.held_back and 2 * holder.unacked < self._max_of_one:
            self._let_go(holder)

    def _hold_back(self, holder: Holder) -> None:
        if holder.unacked > self._max_of_one:
            holder.held_back = True

    def _let_go(self, holder: Holder) -> None:
        holder.held_back = False
        go_on = self._holders.get(holder)
        if go_on is not None:
            go_on()
