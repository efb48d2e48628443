"""Names for producers that bring none: `<cluster>-<instance>-<number>`, unique for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from magnetar_metadata.store import MetadataStore

COUNTER_PATH: Final = "/counters/producer-name"
_SEQUENCE_DIGITS: Final = 10


class ProducerNames:
    """The instance is a number of this start of this broker, given by the store."""

    def __init__(self, store: MetadataStore, cluster: str) -> None:
        self._store = store
        self._cluster = cluster
        self._prefix = ""
        self._next = 0

    async def start(self) -> None:
        """Take an instance number. Raises MetadataError."""
        path = await self._store.create(f"{COUNTER_PATH}/-", b"", sequential=True)
        self._prefix = f"{self._cluster}-{int(path[-_SEQUENCE_DIGITS:])}"

    def next(self) -> str:
        """The next name."""
        assert self._prefix, "not started"
        name = f"{self._prefix}-{self._next}"
        self._next += 1
        return name
