"""The seam to kazoo: its threads on one side, the loop on the other. Nobody else imports kazoo.

A request is put into kazoo's queue by the loop and never waits there. Its result comes from kazoo's
completion thread, a change of the connection from the connection thread, a watch event from the
watch thread; all of them only leave a row in the inbox, and the loop settles it.
"""

import enum
import logging
import math
import select
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from kazoo import exceptions as kazoo_errors
from kazoo.client import KazooClient, KazooState, KeeperState
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.retry import KazooRetry
from magnetar_runtime.loop_inbox import LoopInbox

from magnetar_metadata.store import (
    BadVersionError,
    Check,
    Create,
    Delete,
    MetadataError,
    Node,
    NodeExistsError,
    NoNodeError,
    NotEmptyError,
    Operation,
    SessionExpiredError,
    SetValue,
    Stat,
    UnknownOutcomeError,
)

log = logging.getLogger(__name__)

# kazoo tells each attempt to connect; what matters of that the store tells itself.
_kazoo_log = logging.getLogger(f"{__name__}.kazoo")
_kazoo_log.setLevel(logging.ERROR)

MAX_REQUEST_BYTES: Final = 1_000_000
"""The server drops the connection at a packet of 2^20 - 1 bytes (`jute.maxbuffer`)."""

_RECONNECT_DELAY_S: Final = 0.05
_RECONNECT_DELAY_MAX_S: Final = 2.0
_RECONNECT_DELAY_OF_SESSION: Final = 0.1
"""At most this share of the session timeout: servers that come back count it from their start."""

_ERROR_OF: Final[dict[type[Exception], type[MetadataError]]] = {
    kazoo_errors.NoNodeError: NoNodeError,
    kazoo_errors.NodeExistsError: NodeExistsError,
    kazoo_errors.BadVersionError: BadVersionError,
    kazoo_errors.NotEmptyError: NotEmptyError,
    kazoo_errors.NoChildrenForEphemeralsError: NotEmptyError,
    kazoo_errors.ConnectionLoss: UnknownOutcomeError,
    kazoo_errors.OperationTimeoutError: UnknownOutcomeError,
    kazoo_errors.ConnectionClosedError: UnknownOutcomeError,
    kazoo_errors.SessionMovedError: UnknownOutcomeError,
    kazoo_errors.SessionExpiredError: SessionExpiredError,
}

Done = Callable[[Any, MetadataError | None], None]
"""Told on the loop: the result, or why there is none."""


class Link(enum.Enum):
    """What the connection has come to."""

    CONNECTED = enum.auto()
    SUSPENDED = enum.auto()
    EXPIRED = enum.auto()  # the session; kazoo begins another
    OVER = enum.auto()  # kazoo has stopped


@dataclass(frozen=True, slots=True)
class LinkListener:
    """Who is told on the loop what the threads noticed."""

    on_link: Callable[[Link, int], None]  # with the session id of the moment
    on_event: Callable[[str], None]  # the path whose node or children changed


class ZooKeeperClient:
    """Requests of one session. Each answers by `done`, once, on the loop.

    Args:
        hosts: `host:port`, with commas between.
        root: the path of the server that is `/` here, without a slash at its end.
        session_timeout_ms: how long the session outlives a lost connection.
    """

    def __init__(
        self,
        hosts: str,
        root: str,
        session_timeout_ms: int,
        inbox: LoopInbox,
        listener: LinkListener,
    ) -> None:
        self._root = root
        self._inbox = inbox
        self._listener = listener
        self._kazoo = KazooClient(
            hosts=hosts,
            timeout=session_timeout_ms / 1000,
            connection_retry=KazooRetry(
                max_tries=-1,
                delay=_RECONNECT_DELAY_S,
                max_delay=min(
                    _RECONNECT_DELAY_MAX_S,
                    session_timeout_ms / 1000 * _RECONNECT_DELAY_OF_SESSION,
                ),
            ),
            handler=_PollingHandler(),
            logger=_kazoo_log,
        )
        self._kazoo.add_listener(self._link_changed)

    def start(self) -> None:
        """Begin to connect."""
        self._kazoo.start_async()

    def stop(self, done: Callable[[], None]) -> None:
        """End the session and the threads, then call `done` on the loop.

        It may take as long as the session timeout when a server takes connections and says nothing.
        """

        def run() -> None:
            try:
                self._kazoo.stop()
                self._kazoo.close()
            except (kazoo_errors.KazooException, OSError) as error:
                log.warning("the connection to ZooKeeper did not end: %r", error)
            with suppress(RuntimeError):  # the loop is closed: nobody waited so long
                self._inbox.put(done)

        threading.Thread(target=run, name="zookeeper-stop", daemon=True).start()

    @property
    def session_id(self) -> int | None:
        """Of the connection of this moment, None if there is none; the loop is told later."""
        client_id = self._kazoo.client_id
        return None if client_id is None else int(client_id[0])

    def get(self, path: str, done: Done) -> None:
        """A `Node`."""
        self._answer(path, self._kazoo.get_async(self._full(path)), done, _node)

    def children(self, path: str, done: Done) -> None:
        """Sorted names."""
        self._answer(path, self._kazoo.get_children_async(self._full(path)), done, sorted)

    def create(
        self, path: str, value: bytes, ephemeral: bool, sequential: bool, done: Done
    ) -> None:
        """The path that it got."""
        if not self._fits(path, len(value), done):
            return
        result = self._kazoo.create_async(
            self._full(path), value, ephemeral=ephemeral, sequence=sequential
        )
        self._answer(path, result, done, self._own)

    def set(self, path: str, value: bytes, version: int, done: Done) -> None:
        """A `Stat`."""
        if self._fits(path, len(value), done):
            result = self._kazoo.set_async(self._full(path), value, version)
            self._answer(path, result, done, _stat)

    def delete(self, path: str, version: int, done: Done) -> None:
        self._answer(path, self._kazoo.delete_async(self._full(path), version), done)

    def sync(self, path: str, done: Done) -> None:
        self._answer(path, self._kazoo.sync_async(self._full(path)), done)

    def multi(self, operations: Sequence[Operation], done: Done) -> None:
        """All or none; the error is that of the first operation that failed."""
        size = sum(len(step.value) for step in operations if isinstance(step, Create | SetValue))
        if not self._fits(operations[0].path, size, done):
            return
        transaction = self._kazoo.transaction()
        for step in operations:
            _add(transaction, step, self._full(step.path))

        def completed(results: list[Any] | None, error: MetadataError | None) -> None:
            done(None, error or _first_error(operations, results or []))

        self._answer(operations[0].path, transaction.commit_async(), completed)

    def arm(self, path: str, done: Done) -> None:
        """Watch for the next change of the node, and of its children if it is there."""
        full = self._full(path)
        self._answer(path, self._kazoo.exists_async(full, self._event), done)
        self._answer(path, self._kazoo.get_children_async(full, self._event), done)

    def _answer(
        self,
        path: str,
        result: Any,
        done: Done,
        convert: Callable[[Any], Any] = lambda value: value,
    ) -> None:
        def settle() -> None:
            if result.exception is not None:
                done(None, _metadata_error(path, result.exception))
            else:
                done(convert(result.value), None)

        result.rawlink(lambda _: self._inbox.put(settle))

    def _fits(self, path: str, value_bytes: int, done: Done) -> bool:
        if value_bytes <= MAX_REQUEST_BYTES:
            return True
        reason = f"{value_bytes} bytes in one request; ZooKeeper takes {MAX_REQUEST_BYTES}"
        self._inbox.put(done, None, MetadataError(path, reason))
        return False

    def _full(self, path: str) -> str:
        return self._root + path if path != "/" else self._root or "/"

    def _own(self, full: str) -> str:
        return full.removeprefix(self._root) or "/"

    def _event(self, event: Any) -> None:
        if event.path is None:
            return  # the connection went, and the watch with it: `_link_changed` is told too
        self._inbox.put(self._listener.on_event, self._own(event.path))

    def _link_changed(self, state: str) -> None:
        session_id = self._kazoo.client_id[0] if self._kazoo.client_id is not None else 0
        if state == KazooState.CONNECTED:
            link = Link.CONNECTED
        elif state == KazooState.SUSPENDED:
            link = Link.SUSPENDED
        elif self._kazoo.client_state == KeeperState.EXPIRED_SESSION:
            link = Link.EXPIRED
        else:
            link = Link.OVER
        self._inbox.put(self._listener.on_link, link, session_id)


class _PollingHandler(SequentialThreadingHandler):  # type: ignore[misc]
    """kazoo's own makes, fills and closes an epoll object for each look at its socket.

    That is three times per request, and was a third of all that a broker did while it loaded
    topics.
    """

    def select(
        self,
        readers: Sequence[Any],
        writers: Sequence[Any],
        _errors: Sequence[Any],
        timeout_s: float | None = None,
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """As `select.select`, for file descriptors of any size."""
        assert not (readers and writers), "kazoo waits for one or the other"
        poll, waiting = select.poll(), readers or writers
        for each in waiting:
            poll.register(each, select.POLLIN if readers else select.POLLOUT)
        wait_ms = None if timeout_s is None else math.ceil(timeout_s * 1000)
        # An error or a hang-up is found by whoever then reads or writes.
        fds = {fd for fd, _ in poll.poll(wait_ms)}
        ready = [each for each in waiting if each.fileno() in fds]
        return (ready, [], []) if readers else ([], ready, [])


def _add(transaction: Any, step: Operation, full: str) -> None:
    match step:
        case Create(_, value, ephemeral):
            transaction.create(full, value, ephemeral=ephemeral)
        case SetValue(_, value, version):
            transaction.set_data(full, value, version)
        case Delete(_, version):
            transaction.delete(full, version)
        case Check(_, version):
            transaction.check(full, version)


def _first_error(operations: Sequence[Operation], results: list[Any]) -> MetadataError | None:
    neighbours = (kazoo_errors.RolledBackError, kazoo_errors.RuntimeInconsistency)
    for step, result in zip(operations, results, strict=True):
        if isinstance(result, Exception) and not isinstance(result, neighbours):
            return _metadata_error(step.path, result)
    return None


def _metadata_error(path: str, error: Exception) -> MetadataError:
    kind = _ERROR_OF.get(type(error))
    if kind is not None:
        return kind(path, str(error) or type(error).__name__)
    if isinstance(error, kazoo_errors.KazooException):
        return MetadataError(path, f"ZooKeeper refused: {error!r}")
    # Not an answer of the server: kazoo could not read one.
    return UnknownOutcomeError(path, repr(error))


def _node(pair: tuple[bytes | None, Any]) -> Node:
    value, stat = pair
    return Node(value or b"", _stat(stat))


def _stat(stat: Any) -> Stat:
    return Stat(stat.version, stat.ctime, stat.mtime, stat.ephemeralOwner)
