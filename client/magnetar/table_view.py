"""Table views: the last value of each key of a topic, kept up to date."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

from magnetar_runtime.scope import TaskScope

from magnetar.closing import AsyncClosing
from magnetar.errors import AlreadyClosed, InvalidMessage, PulsarException
from magnetar.message import Message
from magnetar.reader import Reader

log = logging.getLogger(__name__)

Listener = Callable[[str, Any], None]
"""Told a key and its value; None when the key was deleted."""


class TableView(AsyncClosing):
    """A table of keys and values. Made by `Client.create_table_view`."""

    def __init__(self, reader: Reader, scope: TaskScope) -> None:
        self._reader = reader
        self._scope = scope
        self._values: dict[str, Any] = {}
        self._listeners: list[Listener] = []
        self._closed = False
        self._error: PulsarException | None = None

    async def start(self) -> None:
        """Read what there is, and go on reading beside."""
        while await self._reader.has_message_available():
            self._take(await self._reader.read_next())
        self._scope.spawn(self._follow(), name=f"table view of {self._reader.topic()}")

    async def _follow(self) -> None:
        try:
            while True:
                self._take(await self._reader.read_next())
        except AlreadyClosed:
            pass
        except PulsarException as error:
            self._error = error
            log.error("the table view of %s ends: %s", self._reader.topic(), error)

    def _take(self, message: Message) -> None:
        if not message.has_partition_key():
            return
        key = message.partition_key()
        if message.has_null_value() or not message.data():
            self._values.pop(key, None)
            value = None
        else:
            value = self._values[key] = _value_of(key, message)
        for listener in self._listeners:
            _tell(listener, key, value)

    def get(self, key: str) -> Any:
        """The value of a key; None if it has none."""
        self._check()
        return self._values.get(key)

    def for_each(self, callback: Callable[[str, Any], None]) -> None:
        """Call with each key and its value now."""
        self._check()
        for key, value in list(self._values.items()):
            callback(key, value)

    def for_each_and_listen(self, callback: Listener) -> None:
        """Call with each key and its value now, and with each change from now on."""
        self.for_each(callback)
        self._listeners.append(callback)

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._values))

    def items(self) -> list[tuple[str, Any]]:
        """All keys with their values now."""
        return list(self._values.items())

    async def close(self) -> None:
        """Follow the topic no more."""
        self._closed = True
        await self._reader.close()

    def _check(self) -> None:
        if self._closed:
            raise AlreadyClosed(f"the table view of {self._reader.topic()} is closed")
        if self._error is not None:
            raise self._error


def _value_of(key: str, message: Message) -> Any:
    try:
        return message.value()
    except Exception as error:  # whatever a schema raises is the message's fault, not the client's
        raise InvalidMessage(f"the value of key {key!r} cannot be read: {error}") from error


def _tell(listener: Listener, key: str, value: Any) -> None:
    try:
        listener(key, value)
    except Exception:
        # A listener's failure is its own: the table goes on.
        log.exception("a listener of a table view failed at key %r", key)
