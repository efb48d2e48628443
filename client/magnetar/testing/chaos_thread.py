"""The fault proxy for tests without a loop: it runs in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Self, TypeVar

from magnetar.testing.chaos import ChaosProxy, Fault, Step

T = TypeVar("T")


class ChaosThread:
    """A `ChaosProxy` whose calls return when the thing is done."""

    def __init__(self, host: str, port: int, *, seed: int = 0) -> None:
        """Args:
        host: of the server.
        port: of the server.
        seed: decides where within a frame a reset falls.
        """
        self._make: Callable[[], ChaosProxy] = lambda: ChaosProxy(host, port, seed=seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="chaos", daemon=True)
        self._proxy: ChaosProxy | None = None

    @property
    def service_url(self) -> str:
        """Where clients of Pulsar connect to."""
        return self._call(lambda proxy: proxy.service_url)

    @property
    def port(self) -> int:
        """Where clients connect to."""
        return self._call(lambda proxy: proxy.port)

    @property
    def accepted(self) -> int:
        """Connections so far."""
        return self._call(lambda proxy: proxy.accepted)

    def start(self) -> None:
        """Listen on a free port of the loopback."""
        self._thread.start()

        async def begin() -> ChaosProxy:
            proxy = self._make()
            await proxy.start()
            return proxy

        self._proxy = asyncio.run_coroutine_threadsafe(begin(), self._loop).result()

    def close(self) -> None:
        """End all connections and the thread."""
        if self._proxy is not None:
            asyncio.run_coroutine_threadsafe(self._proxy.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def apply(self, fault: Fault) -> None:
        """Let it happen now; see `ChaosProxy.apply`."""
        self._call(lambda proxy: proxy.apply(fault))

    def slow(self, bytes_per_s: int) -> None:
        """Let no more than so many bytes a second through."""
        self._call(lambda proxy: proxy.slow(bytes_per_s))

    def heal(self) -> None:
        """End what lasts."""
        self._call(lambda proxy: proxy.heal())

    def run(self, plan: Iterable[Step]) -> None:
        """Let a plan happen, and return at its end."""
        assert self._proxy is not None, "not started"
        asyncio.run_coroutine_threadsafe(self._proxy.run(plan), self._loop).result()

    def _call(self, action: Callable[[ChaosProxy], T]) -> T:
        proxy = self._proxy
        assert proxy is not None, "not started"

        async def act() -> T:
            return action(proxy)

        return asyncio.run_coroutine_threadsafe(act(), self._loop).result()
