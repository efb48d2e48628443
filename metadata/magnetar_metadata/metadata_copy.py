"""All metadata of one store into another: the way out of a standalone.

Persistent nodes are copied with their values; versions and times begin anew. What gives ledger ids
goes on where it stood: an id that was given once must never be given again, since bookies may still
hold entries of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from magnetar_metadata.errors import CopyDiffersError, TargetNotEmptyError
from magnetar_metadata.ledger_id_carry import Progress, carry_ledger_ids
from magnetar_metadata.ledger_paths import LEDGERS_ROOT
from magnetar_metadata.store import MetadataStore, NodeExistsError, UnknownOutcomeError
from magnetar_metadata.together import all_of, in_parts

_ATTEMPTS: Final = 5
_FOREIGN: Final = frozenset({"/zookeeper"})
"""What a ZooKeeper server has of itself at its root."""


@dataclass(slots=True)
class CopyReport:
    """What was copied."""

    nodes: int = 0  # persistent nodes of the source
    made: int = 0
    replaced: int = 0  # were there with another value
    value_bytes: int = 0
    skipped_ephemeral: int = 0
    ledger_ids_from: int = 0  # the first id that the target gives
    verified: int = 0  # nodes that were read back and are equal


@dataclass(frozen=True, slots=True)
class CopySource:
    """Persistent nodes by path, parents first."""

    values: dict[str, bytes]
    ephemeral: int


async def copy_metadata(
    source: MetadataStore,
    target: MetadataStore,
    progress: Progress = lambda what, done, total: None,
    *,
    into_non_empty: bool = False,
    ledgers_root: str = LEDGERS_ROOT,
) -> CopyReport:
    """Copy and verify. May be repeated with `into_non_empty` after it was interrupted.

    Nobody else may change either store meanwhile.

    Args:
        into_non_empty: nodes that the target has are overwritten, others of it stay.

    Raises:
        TargetNotEmptyError
        CopyDiffersError: what was written does not read back.
        MetadataError: a store cannot be read or written.
    """
    if not into_non_empty:
        await _check_empty(target)
    read = await read_tree(source, progress)
    report = CopyReport(
        nodes=len(read.values),
        value_bytes=sum(map(len, read.values.values())),
        skipped_ephemeral=read.ephemeral,
    )
    await _write(target, read.values, report, progress)
    report.ledger_ids_from = await carry_ledger_ids(source, target, ledgers_root, progress)
    await _verify(target, read.values, report, progress)
    return report


async def read_tree(store: MetadataStore, progress: Progress) -> CopySource:
    """All nodes of a store but the root, and its own of a ZooKeeper server."""
    values: dict[str, bytes] = {}
    ephemeral = 0
    level = ["/"]
    while level:
        names = await all_of(level, store.children)
        level = [
            path
            for parent, children in zip(level, names, strict=True)
            for path in (f"{parent.rstrip('/')}/{name}" for name in children)
            if path not in _FOREIGN
        ]
        for some in in_parts(level):
            for path, node in zip(some, await all_of(some, store.get), strict=True):
                if node is not None and node.stat.ephemeral_owner:
                    ephemeral += 1
                elif node is not None:
                    values[path] = node.value
            progress("read", len(values), 0)
    return CopySource(values, ephemeral)


async def _check_empty(target: MetadataStore) -> None:
    for name in await target.children("/"):
        if f"/{name}" not in _FOREIGN:
            raise TargetNotEmptyError(f"/{name}", "the target has metadata already")


async def _write(
    target: MetadataStore, values: dict[str, bytes], report: CopyReport, progress: Progress
) -> None:
    async def write(path: str) -> None:
        await _write_node(target, path, values[path], report)

    done = 0
    for level in _levels(values):
        for some in in_parts(level):
            await all_of(some, write)
            done += len(some)
            progress("written", done, len(values))


def _levels(paths: Iterable[str]) -> list[list[str]]:
    """Paths by depth: a level can be made at once when the one above is there."""
    levels: dict[int, list[str]] = {}
    for path in paths:
        levels.setdefault(path.count("/"), []).append(path)
    return [levels[depth] for depth in sorted(levels)]


async def _write_node(target: MetadataStore, path: str, value: bytes, report: CopyReport) -> None:
    for attempt in range(_ATTEMPTS):
        try:
            await target.create(path, value)
            report.made += 1
        except NodeExistsError:
            # There before, or made by an attempt whose reply was lost.
            node = await target.get(path)
            if node is None:
                continue
            if node.value != value:
                await target.set(path, value)
                report.replaced += 1
        except UnknownOutcomeError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        return
    raise UnknownOutcomeError(path, f"comes and goes; {_ATTEMPTS} attempts")


async def _verify(
    target: MetadataStore, values: dict[str, bytes], report: CopyReport, progress: Progress
) -> None:
    await target.sync("/")
    for some in in_parts(values):
        nodes = await all_of(some, target.get)
        for path, node in zip(some, nodes, strict=True):
            if node is None:
                raise CopyDiffersError(path, "is not in the target")
            if node.value != values[path]:
                raise CopyDiffersError(path, "has another value in the target")
        report.verified += len(some)
        progress("verified", report.verified, len(values))
