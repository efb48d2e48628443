"""Questions to a broker whose answers are awaited, on one connection."""

import asyncio
from collections.abc import Callable
from typing import Any

from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.frames import encode_command

from magnetar.errors import PulsarException, Timeout, error_of


class _Request:
    """A question whose answer is awaited."""

    __slots__ = ("deadline", "future", "what")

    def __init__(self, what: str, future: asyncio.Future[Any], deadline: asyncio.Timeout) -> None:
        self.what = what
        self.future = future
        self.deadline = deadline


class Requests:
    """Those of one connection, each with an id of its own.

    Args:
        name: of the broker, for messages to people.
        send: takes the bytes of a command.
    """

    def __init__(self, name: str, send: Callable[[bytes], None]) -> None:
        self._name = name
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._open: dict[int, _Request] = {}
        self._last_id = 0

    def __len__(self) -> int:
        return len(self._open)

    def next_id(self) -> int:
        """An id that none had before."""
        self._last_id += 1
        return self._last_id

    async def ask(self, command: Any, what: str, timeout_s: float) -> Any:
        """Send a command, and wait for its answer.

        Args:
            command: its `request_id` is set here.
            what: it asks for, for messages to people.

        Raises:
            PulsarException: the broker refuses, all are failed, or no answer comes in time.
        """
        request_id = command.request_id = self.next_id()
        future: asyncio.Future[Any] = self._loop.create_future()
        try:
            async with asyncio.timeout(timeout_s) as deadline:
                self._open[request_id] = _Request(what, future, deadline)
                self._send(encode_command(command))
                return await future
        except TimeoutError as error:
            if isinstance(error, PulsarException):
                raise
            raise Timeout(f"{what}: no answer from {self._name} in {timeout_s:g} s") from error
        finally:
            self._open.pop(request_id, None)

    def answer(self, command: Any) -> None:
        """What was asked for is here. Answers that nobody waits for are dropped."""
        request = self._open.get(command.request_id)
        if request is not None and not request.future.done():
            request.future.set_result(command)

    def refuse(self, request_id: int, code: int, message: str) -> bool:
        """The broker says no; gives False if there is no such request."""
        request = self._open.get(request_id)
        if request is None:
            return False
        if not request.future.done():
            request.future.set_exception(error_of(code, request.what, message))
        return True

    def answer_or_refuse(self, command: Any) -> None:
        """An answer that may be a refusal, as its own fields say."""
        if not _is_refusal(command):
            self.answer(command)
            return
        code = getattr(command, "error", None)
        if code is None:
            code = command.error_code
        text = str(getattr(command, "message", "") or getattr(command, "error_message", ""))
        self.refuse(command.request_id, code, text)

    def wait_on(self, request_id: int) -> None:
        """It is answered in the end, whenever that may be."""
        if request := self._open.get(request_id):
            request.deadline.reschedule(None)

    def fail_all(self, error: PulsarException) -> None:
        """No answer comes any more."""
        for request in self._open.values():
            if not request.future.done():
                request.future.set_exception(error)


def _is_refusal(command: Any) -> bool:
    if isinstance(
        command, api.CommandLookupTopicResponse | api.CommandPartitionedTopicMetadataResponse
    ):
        return bool(command.response == command.Failed)
    return bool(command.HasField("error_code"))
