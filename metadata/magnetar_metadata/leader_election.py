"""Who of the brokers decides which of them gets a bundle: one ephemeral node, as Pulsar's."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from magnetar_metadata.broker_addresses import LeaderRecord
from magnetar_metadata.errors import NodeExistsError, UnknownOutcomeError
from magnetar_metadata.session_bound import delete_own
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.topic_records import decode_json, encode_json

LEADER_PATH: Final = "/loadbalance/leader"


class LeaderElection:
    """One candidate. Nothing is lost while nobody leads: then any broker decides."""

    def __init__(self, store: MetadataStore, candidate: LeaderRecord) -> None:
        self._store = store
        self._candidate = candidate

    async def stand(self) -> bool:
        """Become the leader if there is none; whether this broker is the leader now."""
        while True:
            with suppress(UnknownOutcomeError):  # if it was made, it is found
                try:
                    await self._store.create(
                        LEADER_PATH, encode_json(self._candidate), ephemeral=True
                    )
                except NodeExistsError:
                    node = await self._store.get(LEADER_PATH)
                    if node is None:
                        continue
                    return node.stat.ephemeral_owner == self._store.session_id
                return True

    async def leader(self) -> LeaderRecord | None:
        """Who leads; None if nobody does. Raises MalformedRecordError."""
        node = await self._store.get(LEADER_PATH)
        return None if node is None or not node.value else decode_json(LeaderRecord, node.value)

    async def resign(self) -> None:
        """Leave it to another; nothing if this session does not lead."""
        await delete_own(self._store, LEADER_PATH)

    def watch(self, hint: Callable[[], None]) -> Callable[[], None]:
        """Call `hint` when the leader may have changed. Returns what ends that."""
        return self._store.watch(LEADER_PATH, lambda _: hint())
