"""Who waits for the broker's answers to acknowledgements."""

import asyncio

from magnetar_proto import pulsar_api_pb2 as api

from magnetar.errors import PulsarException, error_of


class AckReceipts:
    """Answers come per command, and a command holds the acknowledgements of many."""

    def __init__(self) -> None:
        self._next: asyncio.Future[None] | None = None
        self._sent: dict[int, tuple[asyncio.Future[None], set[int]]] = {}

    def wait(self, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[None]":
        """A future for what is sent next; shared by all who wait for that."""
        if self._next is None:
            self._next = loop.create_future()
        return self._next

    def sent(self, request_ids: list[int]) -> None:
        """All that was acknowledged went out in these requests."""
        future, self._next = self._next, None
        if future is None:
            return
        if not request_ids:
            future.set_result(None)
            return
        left = set(request_ids)
        for request_id in request_ids:
            self._sent[request_id] = (future, left)

    def response(self, command: api.CommandAckResponse, what: str) -> None:
        """The broker answered."""
        future, left = self._sent.pop(command.request_id, (None, set()))
        if future is None or future.done():
            return
        left.discard(command.request_id)
        if command.HasField("error"):
            future.set_exception(
                error_of(command.error, f"acknowledgement of {what}", command.message)
            )
        elif not left:
            future.set_result(None)

    def fail(self, error: PulsarException) -> None:
        """No answer comes any more."""
        waiting = {future for future, _ in self._sent.values()}
        if self._next is not None:
            waiting.add(self._next)
        self._next = None
        self._sent.clear()
        for future in waiting:
            if not future.done():
                future.set_exception(error)
                future.exception()  # it may be that nobody waits any more
