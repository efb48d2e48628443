"""The generators of ledger ids of one store taken up by another."""

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from magnetar_metadata.store import Delete, MetadataStore, UnknownOutcomeError
from magnetar_metadata.together import AT_ONCE, all_of

Progress = Callable[[str, int, int], None]
"""What is done, how many of it are done, and of how many (0: not known)."""

_ATTEMPTS: Final = 5


async def carry_ledger_ids(
    source: MetadataStore, target: MetadataStore, root: str, progress: Progress
) -> int:
    """Let the target's generators go on where the source's stand; returns the next id.

    One number of the source is used up.
    """
    short = f"{root}/idgen"
    next_id = 0
    if await source.get(short) is not None:
        next_id = await _carry_sequence(source, target, f"{short}/ID-", progress)
    for name in await source.children(f"{root}/idgen-long"):
        prefix = f"{root}/idgen-long/{name}/ID-"
        next_id = int(name.removeprefix("HOB-")) << 32
        next_id |= await _carry_sequence(source, target, prefix, progress)
    return next_id


async def _carry_sequence(
    source: MetadataStore, target: MetadataStore, prefix: str, progress: Progress
) -> int:
    """Use up the target's numbers until the next one is beyond all that the source has given.

    A number is not a value that could be written: a store counts the children that a node has had.
    """
    wanted = await _next_number(source, prefix)
    number = await _next_number(target, prefix)
    while number < wanted:
        count = min(AT_ONCE, wanted - number)
        number = max(await _use_up(target, prefix, count))
        progress("ledger ids", number, wanted)
    return number + 1


async def _next_number(store: MetadataStore, prefix: str) -> int:
    return (await _use_up(store, prefix, 1))[0]


async def _use_up(store: MetadataStore, prefix: str, count: int) -> list[int]:
    async def create(_: int) -> str:
        for _attempt in range(_ATTEMPTS):
            try:
                return await store.create(prefix, b"", ephemeral=True, sequential=True)
            except UnknownOutcomeError:
                continue  # a number is lost, which is what this is for
        raise UnknownOutcomeError(prefix, "create")

    paths = await all_of(range(count), create)
    with suppress(UnknownOutcomeError):  # they go with the session
        await store.multi([Delete(path) for path in paths])
    return [int(path[len(prefix) :]) for path in paths]
