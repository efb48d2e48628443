"""Compare-and-set on one node when answers are lost, callers are cancelled or others write."""

import asyncio
from contextlib import suppress

import pytest
from magnetar_ledger.errors import LedgerMetadataError, ManagedLedgerFencedError
from magnetar_ledger.managed.versioned_node import VersionedNode
from magnetar_metadata.store import (
    BadVersionError,
    MetadataError,
    NodeExistsError,
    UnknownOutcomeError,
)


class Registry:
    """One node; writes may be lost on the way there or on the way back."""

    def __init__(self) -> None:
        self.value: str | None = None
        self.version = 0
        self.lose: list[str] = []
        self.writes = 0
        self.behind: tuple[str, int] | None = None  # what a server that lags answers until a sync
        self.late: list[tuple[str, int | None]] = []  # on the way still

    async def read(self) -> tuple[str, int] | None:
        if self.behind is not None:
            return self.behind
        return None if self.value is None else (self.value, self.version)

    async def sync(self) -> None:
        self.behind = None

    async def arrive(self) -> None:
        """The requests that were on the way come to the server, their connections gone."""
        late, self.late = self.late, []
        for value, version in late:
            with suppress(BadVersionError, NodeExistsError):
                await self._do(value, version)

    async def create(self, value: str) -> int:
        return await self._do(value, None)

    async def write(self, value: str, version: int) -> int:
        return await self._do(value, version)

    async def _do(self, value: str, version: int | None) -> int:
        lost = self.lose.pop(0) if self.lose else ""
        if lost == "request":
            raise UnknownOutcomeError("node")
        if lost == "late":
            self.late.append((value, version))
            raise UnknownOutcomeError("node")
        if version is None and self.value is not None:
            raise NodeExistsError("node")
        if version is not None and version != self.version:
            raise BadVersionError("node")
        self.writes += 1
        self.value, self.version = value, 0 if version is None else version + 1
        if lost == "answer":
            raise UnknownOutcomeError("node")
        if lost == "caller":
            await asyncio.sleep(0)
        return self.version


def node_of(registry: Registry) -> VersionedNode[str]:
    return VersionedNode("node", registry.read, registry.create, registry.write, registry.sync)


async def test_it_is_created_and_then_written() -> None:
    registry = Registry()
    node = node_of(registry)
    assert await node.read() is None
    await node.write("a")
    await node.write("b")
    assert (registry.value, registry.version) == ("b", 1)
    assert await node_of(registry).read() == "b"


@pytest.mark.parametrize("lose", [["answer"], ["request"], ["request", "request"]])
@pytest.mark.parametrize("created", [False, True])
async def test_a_lost_request_or_answer_is_found_out(lose: list[str], created: bool) -> None:
    registry = Registry()
    node = node_of(registry)
    if created:
        await node.write("before")
    registry.lose = lose
    await node.write("a")
    await node.write("b")
    assert registry.value == "b"
    assert registry.writes == 2 + created


async def test_a_write_that_never_gets_an_answer_is_reported_and_known_later() -> None:
    registry = Registry()
    node = node_of(registry)
    registry.lose = ["request"] * 3
    with pytest.raises(LedgerMetadataError):
        await node.write("a")
    await node.write("b")
    assert registry.value == "b"


async def test_somebody_elses_write_fences() -> None:
    registry = Registry()
    node = node_of(registry)
    await node.write("a")
    await registry.write("other", 0)
    with pytest.raises(ManagedLedgerFencedError):
        await node.write("b")
    registry.lose = ["request"]
    with pytest.raises(ManagedLedgerFencedError):
        await node.write("c")
    assert registry.value == "other"


async def test_two_creators_leave_one() -> None:
    registry = Registry()
    await node_of(registry).write("a")
    with pytest.raises(ManagedLedgerFencedError):
        await node_of(registry).write("b")


async def test_a_cancelled_write_does_not_fence_its_owner() -> None:
    registry = Registry()
    node = node_of(registry)
    await node.write("a")
    registry.lose = ["caller"]
    writing = asyncio.ensure_future(node.write("b"))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await node.write("c")
    assert (registry.value, registry.version) == ("c", 2)


async def test_what_the_store_refuses_is_an_error_of_metadata() -> None:
    async def refuse(*_: object) -> int:
        raise MetadataError("node", "no")

    node = VersionedNode("node", Registry().read, refuse, refuse, Registry().sync)
    with pytest.raises(LedgerMetadataError):
        await node.write("a")


async def test_a_server_that_lags_does_not_fence_the_owner() -> None:
    registry = Registry()
    node = node_of(registry)
    await node.write("a")
    registry.behind = ("a", 0)
    registry.lose = ["answer"]
    await node.write("b")
    await node.write("c")
    assert (registry.value, registry.version) == ("c", 2)


@pytest.mark.parametrize("created", [False, True])
async def test_a_write_that_arrives_after_it_was_looked_for_does_not_fence_its_owner(
    created: bool,
) -> None:
    registry = Registry()
    node = node_of(registry)
    if created:
        await node.write("before")
    registry.lose = ["late"] * 3
    with pytest.raises(LedgerMetadataError):
        await node.write("a")
    assert node.doubtful
    await registry.arrive()
    await node.write("b")
    assert registry.value == "b"
    assert not node.doubtful


async def test_somebody_elses_write_fences_also_one_whose_writes_are_late() -> None:
    registry = Registry()
    node = node_of(registry)
    await node.write("a")
    registry.lose = ["late"] * 3
    with pytest.raises(LedgerMetadataError):
        await node.write("b")
    await registry.write("other", 0)
    with pytest.raises(ManagedLedgerFencedError):
        await node.write("c")
    assert registry.value == "other"
