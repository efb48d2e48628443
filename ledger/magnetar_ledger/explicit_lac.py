"""Explicit LACs as bookies keep them; see `lac_keeper`."""

import asyncio
from collections.abc import Sequence

from magnetar_proto.bookie import Bookie, Status

from magnetar_ledger.lac_keeper import LacKeeper, keepers


async def read_lacs(bookies: Sequence[Bookie], ledger_id: int, timeout_ms: float) -> list[bytes]:
    """What each of the bookies keeps, if it keeps anything and answers in time."""
    return [
        body
        for body in await asyncio.gather(
            *(_read_lac(keeper, ledger_id, timeout_ms) for keeper in keepers(bookies))
        )
        if body is not None
    ]


async def _read_lac(keeper: LacKeeper, ledger_id: int, timeout_ms: float) -> bytes | None:
    answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

    def done(status: Status, body: bytes | None) -> None:
        if not answer.done():
            answer.set_result(body if status is Status.OK else None)

    keeper.read_lac(ledger_id, done)
    try:
        return await asyncio.wait_for(answer, timeout_ms / 1000)
    except TimeoutError:
        return None
