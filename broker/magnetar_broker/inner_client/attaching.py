"""What producers and consumers have in common: they attach to a connection, and when that is lost
try until they are attached again, refused for good, or no longer wanted."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final

from magnetar_broker.errors import BrokerError, ErrorCode, ServiceNotReadyError
from magnetar_broker.inner_client.inner_client import REQUEST_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from magnetar_runtime.scope import TaskScope

    from magnetar_broker.inner_client.client_connection import ClientConnection
    from magnetar_broker.inner_client.inner_client import InnerClient
    from magnetar_broker.topic_name import TopicName

log = logging.getLogger(__name__)

_FIRST_RETRY_S: Final = 0.1
_LONGEST_RETRY_S: Final = 5.0
FINAL: Final = frozenset(
    (
        ErrorCode.NOT_ALLOWED,
        ErrorCode.AUTHENTICATION,
        ErrorCode.AUTHORIZATION,
        ErrorCode.TOPIC_NOT_FOUND,
        ErrorCode.TOPIC_TERMINATED,
        ErrorCode.INVALID_TOPIC_NAME,
        ErrorCode.INCOMPATIBLE_SCHEMA,
        ErrorCode.PRODUCER_BUSY,
        ErrorCode.PRODUCER_FENCED,
        ErrorCode.SUBSCRIPTION_NOT_FOUND,
        ErrorCode.CONSUMER_ASSIGN,
    )
)
"""Refusals that no further try changes."""


async def attach_again(
    attach: Callable[[], Awaitable[None]], wanted: Callable[[], bool], what: str
) -> BrokerError | None:
    """Attach for as long as it is wanted, waiting longer each time.

    Returns:
        The refusal that no further try changes; None if it is attached, or not wanted any more.
    """
    wait_s = _FIRST_RETRY_S
    while wanted():
        try:
            await attach()
        except BrokerError as error:
            if error.code in FINAL:
                return error
            log.info("%s: %s", what, error)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_RETRY_S)
    return None


class Attached(ABC):
    """A producer or consumer of one topic.

    Args:
        what: it is, for the names of tasks and for logs.
    """

    def __init__(self, client: InnerClient, topic: TopicName, scope: TaskScope, what: str) -> None:
        self.topic = topic
        self._client = client
        self._scope = scope
        self._what = what
        self._id = 0  # on its connection
        self._connection: ClientConnection | None = None
        self._opened = False
        self._attaching = False
        self._closed = False
        self._refusal: BrokerError | None = None
        self._news = asyncio.Event()

    @abstractmethod
    def _links(self, connection: ClientConnection) -> dict[int, Any]:
        """Where a connection knows its like by their ids."""

    @abstractmethod
    def _command(self) -> object:
        """What attaches it."""

    @abstractmethod
    def _tell_closed(self, connection: ClientConnection) -> None:
        """Have the broker forget it, if the connection is there."""

    @abstractmethod
    def _on_attached(self, answer: Any) -> None: ...

    @abstractmethod
    def _on_detached(self) -> None:
        """It is about to be attached again."""

    @abstractmethod
    def _on_refused(self, refusal: BrokerError) -> None:
        """It is not attached again, for good."""

    @property
    def _wanted(self) -> bool:
        return not self._closed and not self._client.closed

    async def open(self) -> None:
        """Attach. Raises BrokerError: the topic does not take it."""
        await self._attach()
        self._opened = True

    async def _attach(self) -> None:
        connection = await self._client.connection_for(self.topic)
        self._id = connection.next_id()
        links = self._links(connection)
        links[self._id] = self
        try:
            answer = await connection.request(self._command(), REQUEST_TIMEOUT_S)
        except BaseException:
            self._leave(connection)  # the broker may answer later, and then it would stay there
            raise
        if connection.closed or self._closed:
            self._leave(connection)
            raise ServiceNotReadyError("The connection to the broker is lost; retry")
        if links.get(self._id) is not self:
            # Scenario: the answer and the end come in one chunk, and the end is seen first.
            raise ServiceNotReadyError("The broker closed it again; retry")
        self._connection = connection
        self._news.set()
        self._on_attached(answer)

    async def attachment(self) -> ClientConnection:
        """Where it is attached, as soon as it is. Raises BrokerError: it will not be."""
        while self._connection is None:
            if self._refusal is not None:
                raise self._refusal
            if not self._wanted:
                raise ServiceNotReadyError("The client is gone")
            self._news.clear()
            await self._news.wait()
        return self._connection

    def detached(self) -> None:
        """From the connection: attach again."""
        self._connection = None
        self._news.set()
        if self._opened and self._wanted and not self._attaching:
            self._on_detached()
            self._attaching = True
            self._scope.spawn(self._attach_again(), name=f"attach {self._what} again")

    async def _attach_again(self) -> None:
        try:
            refusal = await attach_again(self._attach, self._is_to_attach, self._what)
        finally:
            self._attaching = False
        if refusal is not None:
            self._refusal = refusal
            self._news.set()
            self._on_refused(refusal)

    def _is_to_attach(self) -> bool:
        return self._wanted and self._connection is None

    def _leave(self, connection: ClientConnection) -> None:
        self._links(connection).pop(self._id, None)
        self._tell_closed(connection)

    def close(self) -> None:
        """Detach for good."""
        if self._closed:
            return
        self._closed = True
        self._news.set()
        connection, self._connection = self._connection, None
        if connection is not None:
            self._leave(connection)
