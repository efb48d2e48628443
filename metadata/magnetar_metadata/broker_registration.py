"""Which brokers of a cluster are up: ephemeral nodes, as Pulsar's load manager keeps them."""

import asyncio
from collections.abc import Callable
from typing import Final

from magnetar_metadata.errors import NodeExistsError, UnknownOutcomeError
from magnetar_metadata.load_report import LoadReport
from magnetar_metadata.session_bound import delete_own
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.together import all_of
from magnetar_metadata.topic_records import decode_json, encode_json

BROKERS_PATH: Final = "/loadbalance/brokers"


class BrokerRegistry:
    """The registrations of all brokers. Names are `host:port` of their HTTP service."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store

    async def register(
        self, broker_id: str, report: LoadReport, other_session_timeout_ms: int
    ) -> None:
        """Say that this broker is up, for as long as the session lasts.

        A former process of this name that died without a word is there until its session ends:
        that is waited for, as it may have bundles.

        Raises:
            NodeExistsError: there is another broker of this name.
        """
        path, value = f"{BROKERS_PATH}/{broker_id}", encode_json(report)
        changed = asyncio.Event()
        end_watch = self._store.watch(path, lambda _: changed.set())
        try:
            async with asyncio.timeout(other_session_timeout_ms / 1000):
                while not await self._make(path, value):
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            reason = (
                "another broker of this address is there, or the last session of one that died "
                "has not ended yet"
            )
            raise NodeExistsError(path, reason) from None
        finally:
            end_watch()

    async def _make(self, path: str, value: bytes) -> bool:
        """Make the node; False if that of another session is there."""
        while True:
            try:
                await self._store.create(path, value, ephemeral=True)
            except NodeExistsError:
                node = await self._store.get(path)
                if node is None:
                    continue  # it went just now
                if node.stat.ephemeral_owner != self._store.session_id:
                    return False
                await self._store.set(path, value)
            except UnknownOutcomeError:
                continue  # if it was made, the next attempt finds it
            return True

    async def report(self, broker_id: str, report: LoadReport) -> None:
        """Tell the load of a broker that is registered. Raises NoNodeError."""
        await self._store.set(f"{BROKERS_PATH}/{broker_id}", encode_json(report))

    async def unregister(self, broker_id: str) -> None:
        """Say that it goes; nothing if the node is not of this session."""
        await delete_own(self._store, f"{BROKERS_PATH}/{broker_id}")

    async def names(self) -> list[str]:
        """The brokers that are up."""
        return await self._store.children(BROKERS_PATH)

    async def reports(self) -> dict[str, LoadReport]:
        """What each of them says of itself. Raises MalformedRecordError."""
        names = await self.names()
        found = await all_of(names, self._read)
        return {
            name: report for name, report in zip(names, found, strict=True) if report is not None
        }

    async def _read(self, broker_id: str) -> LoadReport | None:
        node = await self._store.get(f"{BROKERS_PATH}/{broker_id}")
        return None if node is None or not node.value else decode_json(LoadReport, node.value)

    def watch(self, hint: Callable[[], None]) -> Callable[[], None]:
        """Call `hint` when a broker has come or gone. Returns what ends that."""
        return self._store.watch(BROKERS_PATH, lambda _: hint())
