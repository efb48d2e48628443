"""A bookie that stays registered: over expired sessions, lost replies and strangers' hands."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from magnetar_runtime.scope import TaskScope

from magnetar_metadata.bookie_registry import BookieRegistry, BookieServiceInfo
from magnetar_metadata.errors import MetadataError
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.store import MetadataStore

log = logging.getLogger(__name__)

RETRY_DELAY_MS: Final = 1_000
UNREGISTER_TIMEOUT_MS: Final = 2_000
"""An end does not wait for a metadata store that is away."""


class BookieRegistration:
    """Registers a bookie and registers it again with each new session, until `close`.

    The bookie serves meanwhile: its clients know its address, and the data path needs no metadata.

    Args:
        session_timeout_ms: of the store; an earlier session of this bookie may last as long.
    """

    def __init__(
        self,
        store: MetadataStore,
        bookie_id: str,
        service_info: BookieServiceInfo,
        *,
        root: str = LEDGERS_ROOT,
        session_timeout_ms: int = 10_000,
    ) -> None:
        self._store = store
        self._registry = BookieRegistry(store, root)
        self._bookie_id = bookie_id
        self._info = service_info
        # The server holds the timeout to its own bounds and looks once a tick.
        self._other_session_timeout_ms = 2 * session_timeout_ms
        self._read_only = False
        self._registered_in: int | None = None  # a session
        self._again = asyncio.Event()
        self._told = asyncio.Event()
        self._scope = TaskScope()
        self._end_watch: Callable[[], None] = lambda: None
        store.when_session_ends(self._session_ended)

    @property
    def registered(self) -> bool:
        """Whether clients can find the bookie, as far as is known here."""
        return self._registered_in == self._store.session_id

    async def start(self, *, read_only: bool = False) -> None:
        """Register. To be called when the bookie can answer.

        Raises:
            NodeExistsError: another process has registered a bookie of this id.
            MetadataError: the store cannot be written now.
        """
        self._read_only = read_only
        self._end_watch = self._registry.watch_bookie(self._bookie_id, self._hint)
        await self._register()
        self._scope.spawn(self._keep(), name="bookie registration")

    def set_read_only(self, read_only: bool) -> None:
        """Say that the bookie takes entries or only gives them; written as soon as it can be."""
        if read_only != self._read_only:
            self._read_only = read_only
            self._tell_soon()

    async def told(self, timeout_ms: int) -> bool:
        """Wait until the cluster knows what was said last; False if the store takes too long."""
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self._told.wait()
        except TimeoutError:
            return False
        return True

    async def close(self) -> None:
        """Say that the bookie goes. If the store cannot be told, the end of the session tells."""
        self._end_watch()
        await self._scope.close()
        self._registered_in = None
        try:
            async with asyncio.timeout(UNREGISTER_TIMEOUT_MS / 1000):
                await self._registry.unregister(self._bookie_id)
        except (MetadataError, TimeoutError) as error:
            log.warning("bookie %s stays registered for this session: %r", self._bookie_id, error)

    def _session_ended(self, session_id: int) -> None:
        self._tell_soon()

    def _tell_soon(self) -> None:
        self._told.clear()
        self._again.set()

    def _hint(self, path: str) -> None:
        self._again.set()

    async def _keep(self) -> None:
        failing = False
        while True:
            await self._again.wait()
            self._again.clear()
            try:
                await self._look()
            except MetadataError as error:
                if not failing:
                    log.warning("bookie %s is not registered: %s", self._bookie_id, error)
                failing = True
                self._again.set()
                await asyncio.sleep(RETRY_DELAY_MS / 1000)
            else:
                failing = False

    async def _look(self) -> None:
        """Register again where that is needed: a hint also follows each change of our own."""
        session_id, read_only = self._store.session_id, self._read_only
        if await self._registry.is_registered(self._bookie_id, read_only):
            self._has_told(session_id, read_only)
            return
        self._registered_in = None
        await self._register()
        log.info("bookie %s is registered again", self._bookie_id)

    async def _register(self) -> None:
        session_id, read_only = self._store.session_id, self._read_only
        await self._registry.register(
            self._bookie_id,
            self._info,
            read_only,
            other_session_timeout_ms=self._other_session_timeout_ms,
        )
        self._has_told(session_id, read_only)

    def _has_told(self, session_id: int, read_only: bool) -> None:
        """Where something has changed meanwhile, it is told once more."""
        self._registered_in = session_id
        if self.registered and read_only == self._read_only:
            self._told.set()
