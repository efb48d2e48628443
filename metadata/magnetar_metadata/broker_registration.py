"""Which brokers of a cluster are up: ephemeral nodes, as Pulsar's load manager keeps them."""

import asyncio
from contextlib import suppress
from typing import Final

from magnetar_metadata.errors import NodeExistsError, NoNodeError
from magnetar_metadata.store import MetadataStore

BROKERS_PATH: Final = "/loadbalance/brokers"


class BrokerRegistration:
    """A broker's own node."""

    def __init__(self, store: MetadataStore) -> None:
        self._store = store
        self._path: str | None = None

    async def register_alone(self, name: str, session_timeout_ms: int) -> None:
        """Say that this broker is up, which serves all topics.

        A broker that died without a word is there until its session ends: that is waited for.

        Args:
            name: `host:port` of its HTTP service.
            session_timeout_ms: of the store. Twice as long is waited: the server holds the timeout
                to its own bounds and looks once a tick.

        Raises:
            NodeExistsError: there is another broker.
        """
        await self._until_alone(2 * session_timeout_ms)
        path = f"{BROKERS_PATH}/{name}"
        await self._store.create(path, b"{}", ephemeral=True)
        self._path = path
        # Both may have seen nobody: then each sees the other now, and none of them stays.
        if len(await self._store.children(BROKERS_PATH)) > 1:
            await self.unregister()
            raise NodeExistsError(BROKERS_PATH, "another broker began at the same time")

    async def unregister(self) -> None:
        """Say that it goes."""
        path, self._path = self._path, None
        if path is not None:
            with suppress(NoNodeError):  # its session has ended
                await self._store.delete(path)

    async def _until_alone(self, timeout_ms: int) -> None:
        changed = asyncio.Event()
        end_watch = self._store.watch(BROKERS_PATH, lambda _: changed.set())
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                while await self._store.children(BROKERS_PATH):
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            others = ", ".join(await self._store.children(BROKERS_PATH))
            raise NodeExistsError(
                BROKERS_PATH,
                "another broker serves this cluster, or the last session of one that died has not "
                f"ended yet: {others}",
            ) from None
        finally:
            end_watch()
