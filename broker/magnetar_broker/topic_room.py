"""How many topics a namespace may have, also when many are made at one time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from magnetar_broker.errors import TooManyTopicsError

if TYPE_CHECKING:
    from magnetar_metadata.managed_ledger_info import ManagedLedgerRegistry

    from magnetar_broker.topic_name import NamespaceName, TopicName


class TopicRoom:
    """Counts what there is and what is being made."""

    def __init__(self, registry: ManagedLedgerRegistry, most: int) -> None:
        """Make it with the most topics of a namespace; 0 is no limit."""
        self._registry = registry
        self._most = most
        self._creating: dict[TopicName, None] = {}

    async def take(self, namespace: NamespaceName, new: Sequence[TopicName]) -> None:
        """Let topics be made. They count until `settle`, and after that if they are there.

        Raises:
            TooManyTopicsError: then none of them counts.
        """
        if not self._most:
            return
        # What is being made counts whether the list has it already or not yet.
        before = list(self._creating)
        names = await self._registry.names(namespace.tenant, namespace.name)
        creating = {*before, *self._creating, *new}
        others = {name.ledger_name for name in creating if name.namespace == namespace}
        if len(others.union(names)) > self._most:
            raise TooManyTopicsError(
                f"Exceed maximum number of topics in namespace {namespace}: the most is "
                f"{self._most}"
            )
        self._creating.update(dict.fromkeys(new))

    def settle(self, names: Sequence[TopicName]) -> None:
        """Topics are there now, or will not be after all."""
        for name in names:
            self._creating.pop(name, None)
