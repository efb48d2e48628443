"""The session of a ZooKeeper store on the loop: is there a connection, and whose turn ended."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from magnetar_metadata.store import MetadataError, SessionExpiredError, UnknownOutcomeError
from magnetar_metadata.zookeeper_client import Done, Link

NO_SESSION: Final = -1


class ZooKeeperSession:
    """Follows the connection and makes requests that end in time.

    Args:
        operation_timeout_ms: of each request, waits for a connection included.
    """

    def __init__(self, operation_timeout_ms: int) -> None:
        self._timeout_ms = operation_timeout_ms
        self._connected = asyncio.Event()
        self._id = NO_SESSION
        self._ends = 0  # how many sessions have ended
        self._over = False
        self._end_callbacks: list[Callable[[int], None]] = []

    @property
    def id(self) -> int:
        """Of the session of now; `NO_SESSION`, which owns no node, while there is none."""
        return self._id

    @property
    def connected(self) -> bool:
        return self._connected.is_set() and not self._over

    def when_ended(self, callback: Callable[[int], None]) -> None:
        """Call back with the id of each session that ends other than by `finish`."""
        self._end_callbacks.append(callback)

    def link_changed(self, link: Link, session_id: int) -> None:
        """What the connection has come to."""
        if self._over:
            return
        if link is Link.CONNECTED:
            self._id = session_id
            self._connected.set()
            return
        self._connected.clear()
        if link is Link.OVER:
            self.finish()
        if link is not Link.SUSPENDED:
            self._end()

    def _end(self) -> None:
        ended, self._id = self._id, NO_SESSION
        self._ends += 1
        for callback in self._end_callbacks:
            asyncio.get_running_loop().call_soon(callback, ended)

    def finish(self) -> None:
        """No request is made any more."""
        self._over = True
        self._connected.set()  # who waits for it is to see the end

    async def wait_connected(self, timeout_ms: int) -> bool:
        """Wait for the first connection; False if none came."""
        try:
            async with asyncio.timeout(timeout_ms / 1000):
                await self._connected.wait()
        except TimeoutError:
            return False
        return not self._over

    async def request(
        self,
        path: str,
        submit: Callable[[Done], None],
        *,
        repeat: bool,
        of_session: bool = False,
        bound_to: int | None = None,
    ) -> Any:
        """Make a request when there is a connection and return its result.

        Args:
            submit: hands the request to the client.
            repeat: it may be made twice, so an unknown outcome is none: it is made again.
            of_session: it belongs to the session of now and must not be made in a later one.
            bound_to: the id of the only session in which it may be made.

        Raises:
            UnknownOutcomeError: the connection went meanwhile, or none came in time.
            MetadataError: as the request has it.
        """
        ends = self._ends
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                while True:
                    await self._connected.wait()
                    if self._over or (of_session and self._ends != ends):
                        raise SessionExpiredError(path)
                    if bound_to is not None and bound_to != self._id:
                        raise SessionExpiredError(path, "its session has ended")
                    try:
                        return await _answer_of(submit)
                    except UnknownOutcomeError:
                        if not repeat:
                            raise
                    except SessionExpiredError:
                        # It was not made: the session had ended before. The next one can do it.
                        if of_session:
                            raise
        except TimeoutError:
            reason = f"no answer within {self._timeout_ms} ms"
            raise UnknownOutcomeError(path, reason) from None


async def _answer_of(submit: Callable[[Done], None]) -> Any:
    answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    def done(value: Any, error: MetadataError | None) -> None:
        if answer.done():
            return  # nobody waits any more
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(value)

    submit(done)
    return await answer
