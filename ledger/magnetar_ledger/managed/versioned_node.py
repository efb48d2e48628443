"""One node of the metadata store that this broker owns: compare-and-set with a kept version."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from magnetar_metadata.store import (
    BadVersionError,
    MetadataError,
    NodeExistsError,
    NoNodeError,
    UnknownOutcomeError,
)

from magnetar_ledger.errors import LedgerMetadataError, ManagedLedgerFencedError

Value = TypeVar("Value")

_SETTLE_TRIES = 3
_LATE_WRITES = 4
"""So many writes without an answer may still arrive; those before went with their connections."""


class VersionedNode(Generic[Value]):
    """Writes a value and keeps the version; anybody else's write ends this owner.

    Args:
        what: names the node in errors.
        read, create, write: the registry's calls for this node.
        sync: waits until reads see what was written before.
    """

    def __init__(
        self,
        what: str,
        read: Callable[[], Awaitable[tuple[Value, int] | None]],
        create: Callable[[Value], Awaitable[int]],
        write: Callable[[Value, int], Awaitable[int]],
        sync: Callable[[], Awaitable[None]],
    ) -> None:
        self._what = what
        self._read = read
        self._create = create
        self._write = write
        self._sync = sync
        self._version: int | None = None
        self._written: Value | None = None  # by the last write
        self._doubtful = False  # whether that happened
        self._late: deque[Value] = deque(maxlen=_LATE_WRITES)  # not there yet when it was looked

    @property
    def version(self) -> int:
        """As it was read or written last."""
        assert self._version is not None, "neither read nor written"
        return self._version

    @property
    def doubtful(self) -> bool:
        """Whether a write that failed may stand there, or may come to stand there yet."""
        return self._doubtful or bool(self._late)

    async def read(self) -> Value | None:
        """The value, or None if there is no node. Raises LedgerMetadataError."""
        try:
            found = await self._read()
        except MetadataError as error:
            raise LedgerMetadataError(f"{self._what}: {error}") from error
        if found is None:
            return None
        value, self._version = found
        return value

    async def write(self, value: Value) -> None:
        """Create the node, or replace its value if nobody else did.

        Raises:
            ManagedLedgerFencedError: somebody else changed it since.
            LedgerMetadataError: the store refused or did not answer; it may be written.
        """
        try:
            await self._write_settled(value)
        except (BadVersionError, NodeExistsError, NoNodeError) as error:
            raise ManagedLedgerFencedError(f"{self._what}: {error}") from error
        except MetadataError as error:
            raise LedgerMetadataError(f"{self._what}: {error}") from error

    async def _write_settled(self, value: Value) -> None:
        """Write; after an unknown outcome look what is there before anything is concluded.

        Scenario: our write arrives, the answer is lost (or its caller was cancelled); written again
        with the old version it would look as if somebody else had changed the node.
        """
        for _ in range(_SETTLE_TRIES):
            if self._doubtful and await self._settle() and self._written == value:
                return
            self._written, self._doubtful = value, True
            try:
                if self._version is None:
                    self._version = await self._create(value)
                else:
                    self._version = await self._write(value, self._version)
            except UnknownOutcomeError:
                continue
            except (BadVersionError, NodeExistsError):
                self._doubtful = False
                if await self._was_late():
                    continue
                raise
            except MetadataError:
                self._doubtful = False
                raise
            self._doubtful = False
            self._late.clear()  # their version is past
            return
        raise UnknownOutcomeError(self._what, "no answer to several writes")

    async def _settle(self) -> bool:
        """Find out whether the last write happened, so far."""
        await self._sync()
        found = await self._read()
        version = None if found is None else found[1]
        if version == self._version:
            assert self._written is not None
            self._late.append(self._written)
            self._doubtful = False
            return False
        if found is None or not self._is_ours(found[0]):
            raise BadVersionError(self._what, "changed by somebody else")
        self._take(*found)
        self._doubtful = False
        return True

    async def _was_late(self) -> bool:
        """Whether what stands in the way is a write of ours that was thought lost.

        Scenario: the server that took our write is killed before it passed it on to the leader, or
        so it seems to the next server; the write arrives after we looked there.
        """
        if not self._late:
            return False
        await self._sync()
        found = await self._read()
        if found is None or not self._is_ours(found[0]):
            return False
        self._take(*found)
        return True

    def _is_ours(self, value: Value) -> bool:
        return value == self._written or value in self._late

    def _take(self, value: Value, version: int) -> None:
        self._written, self._version = value, version
        self._late.clear()
