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

    def __init__(self, registry: ManagedLedgerRegistry) -> None:
        self._registry = registry
        self._creating: dict[TopicName, None] = {}

    async def take(self, namespace: NamespaceName, new: Sequence[TopicName], most: int) -> None:
        """Let topics be made. They count until `settle`, and after that if they are there.

        Args:
            most: topics of the namespace; 0 is no limit.

        Raises:
            TooManyTopicsError: then none of them counts.
        """
        if not most:
            return
        # What is being made counts whether the list has it already or not yet.
        before = list(self._creating)
        names = await self._registry.names(namespace.tenant, namespace.name)
        creating = {*before, *self._creating, *new}
        others = {name.ledger_name for name in creating if name.namespace == namespace}
        if len(others.union(names)) > most:
            raise TooManyTopicsError(
                f"Exceed maximum number of topics in namespace {namespace}: the most is {most}"
            )
        self._creating.update(dict.fromkeys(new))

    def settle(self, names: Sequence[TopicName]) -> None:
        """Topics are there now, or will not be after all."""
        for name in names:
            self._creating.pop(name, None)
