"""A whole cluster in child processes: started tier by tier, watched, ended in the reverse order."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from magnetar_runtime.scope import TaskScope

from magnetar_cli.child_process import Child, ChildError
from magnetar_cli.exits import CommandFailedError

log = logging.getLogger(__name__)

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0

Tiers = Sequence[Sequence[Child]]
"""Who has to be there before whom: ZooKeeper, bookies, brokers."""


@asynccontextmanager
async def running_cluster(
    tiers: Tiers,
    make_metadata: Callable[[], Awaitable[None]],
    on_failure: Callable[[BaseException], None],
    *,
    restart: bool,
) -> AsyncIterator[None]:
    """All of it; left, nothing runs any more.

    Args:
        make_metadata: called when ZooKeeper is there, before the first bookie starts.
        restart: start again what dies; else it stays down.

    Raises:
        CommandFailedError: something does not start, or did not end cleanly.
    """
    watching = TaskScope(on_failure)
    try:
        await _start(tiers, make_metadata)
        for child in (child for tier in tiers for child in tier):
            watching.spawn(_keep(child, restart=restart), name=child.plan.name)
        yield
    except (ChildError, OSError) as error:
        raise CommandFailedError(f"the cluster did not start: {error}") from error
    finally:
        await watching.close()
        await _end(tiers)


async def _start(tiers: Tiers, make_metadata: Callable[[], Awaitable[None]]) -> None:
    zookeeper, *services = tiers
    await asyncio.gather(*(child.start() for child in zookeeper))
    await make_metadata()
    for tier in services:
        await asyncio.gather(*(child.start() for child in tier))


async def _keep(child: Child, *, restart: bool) -> None:
    while True:
        how, name = await child.ended(), child.plan.name
        if not restart:
            log.warning("%s %s, and stays down (--no-restart); %s", name, how, child.plan.log_path)
            return
        log.warning("%s %s, and is started again; %s", name, how, child.plan.log_path)
        await _start_again(child)
        log.warning("%s is ready again, pid %d", name, child.pid)


async def _start_again(child: Child) -> None:
    """Until it serves. The first pause also lets its session end that it may register anew."""
    pause_s = _FIRST_PAUSE_S
    while True:
        await asyncio.sleep(pause_s)
        try:
            await child.start()
        except (ChildError, OSError) as error:
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            log.warning("%s; the next attempt comes in %.0f s", error, pause_s)
        else:
            return


async def _end(tiers: Tiers) -> None:
    """Raises CommandFailedError."""
    failures: list[str] = []
    for tier in reversed(tiers):
        ends = await asyncio.gather(*(child.end() for child in tier), return_exceptions=True)
        for error in filter(None, ends):
            if not isinstance(error, ChildError):
                raise error
            failures.append(str(error))
    if failures:
        raise CommandFailedError("\n".join(failures))
