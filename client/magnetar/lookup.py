"""Which broker has a topic, how many partitions it has, which topics there are."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeVar

from magnetar.backoff import Backoff
from magnetar.connection import Connection
from magnetar.connection_pool import ConnectionPool, Route
from magnetar.errors import PulsarException

T = TypeVar("T")

_FIRST_BACKOFF_MS: Final = 100
_MAX_BACKOFF_MS: Final = 5_000


class Directory(Protocol):
    """Where a broker of the service URL is asked; each question is one attempt."""

    async def partitions(self, topic: str) -> int: ...
    async def route(self, topic: str) -> Route: ...
    async def topics(self, namespace: str, mode: int) -> list[str]: ...


async def retried(action: Callable[[], Awaitable[T]], timeout_s: float, rng: random.Random) -> T:
    """Do something until it is done, its error is final, or the time is over.

    Raises:
        PulsarException: the error of the last attempt.
    """
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + timeout_s
    backoff = Backoff(_FIRST_BACKOFF_MS, _MAX_BACKOFF_MS, rng)
    while True:
        try:
            return await action()
        except PulsarException as error:
            wait_s = backoff.next_ms() / 1000
            if not error.retryable or loop.time() + wait_s > deadline_s:
                raise
        await asyncio.sleep(wait_s)


class Lookup:
    """Asks brokers, each of the service URL by turns.

    Args:
        directories: one for each broker of the service URL.
        rng: makes waits before another attempt differ.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        directories: Sequence[Directory],
        timeout_s: float,
        rng: random.Random,
    ) -> None:
        self.rng = rng
        self._pool = pool
        self._directories = directories
        self._timeout_s = timeout_s
        self._turn = 0

    def use(self, directories: Sequence[Directory]) -> None:
        """Ask these from now on."""
        self._directories = directories
        self._turn = 0

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has; 0 if it is not partitioned.

        Raises:
            PulsarException: it is refused, or unknown.
        """
        return await retried(lambda: self._next().partitions(topic), self._timeout_s, self.rng)

    async def connection_of(self, topic: str) -> Connection:
        """A connection to the broker of a topic; one attempt.

        Raises:
            PulsarException: nobody says where it is, or it cannot be reached.
        """
        return await self._pool.get(await self._next().route(topic))

    async def topics(self, namespace: str, mode: int) -> list[str]:
        """The full names of the topics of a namespace.

        Args:
            mode: `CommandGetTopicsOfNamespace.Mode`.
        """
        return await retried(
            lambda: self._next().topics(namespace, mode), self._timeout_s, self.rng
        )

    def _next(self) -> Directory:
        directory = self._directories[self._turn % len(self._directories)]
        self._turn += 1
        return directory
