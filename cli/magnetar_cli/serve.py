"""Running a service as a process: the loop, signals, the readiness line, the end."""

import asyncio
import errno
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop
from magnetar_metadata.errors import MetadataError, StoreFileError
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.disk import DiskError
from magnetar_runtime.errors import ConfError
from magnetar_runtime.service_manager import manager_of_this_process
from magnetar_runtime.settings import StandaloneSettings
from magnetar_storage.errors import ConfigError, IndexFailedError, OutOfUseError, StorageError

from magnetar_cli.collector import calm_collector
from magnetar_cli.exits import CommandFailedError, DiskFailedError, WrongSettingsError
from magnetar_cli.standalone import open_standalone

log = logging.getLogger(__name__)

Ready = Callable[[str, dict[str, Any]], None]

SECOND_SIGNAL_AFTER_MS = 1_000
"""A signal that follows sooner is the same one: `timeout`, say, sends its own twice."""

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_OUTSIDE = (StorageError, MetadataError, OSError)
_DISK_ERRORS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@dataclass(frozen=True, slots=True)
class Serving:
    """What the readiness line tells.

    Attributes:
        urls: For clients.
        listening: `host:port` of each socket.
        facts: What else there is to know, by name.
    """

    urls: Sequence[str]
    listening: Sequence[str]
    facts: Mapping[str, str]


OnFailure = Callable[[BaseException], None]
Opening = Callable[[OnFailure, Callable[[], None]], AbstractAsyncContextManager[Serving]]
"""Opens a service, given whom to tell that it is of no use any more, and what to call when all is
open but nobody can connect yet."""


def run_service(
    name: str,
    opening: Opening,
    began_ns: int,
    ready: Ready,
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop,
) -> None:
    """Serve until SIGTERM or SIGINT, which may come while it starts. A second one kills.

    Args:
        name: as the command is called.
        began_ns: when the process began, on the monotonic clock.
        ready: told once, when clients can connect: a line for people, and the same as facts.

    Raises:
        DiskFailedError: a disk failed or is full.
        WrongSettingsError: a file that is configured cannot be used.
        CommandFailedError: it cannot start, or a bug ended it.
        DirectoryLockedError: another process uses the directory.
    """
    end = _End()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        try:
            runner.run(_serve(name, opening, began_ns, ready, end))
        except ConfError as error:
            raise WrongSettingsError(f"cannot start: {error}") from error
        except _OUTSIDE as error:
            if end.failure is None:
                told = _not_clean if end.served or end.asked else _cannot_start
                raise told(error) from error
            # What failed first is told; that it cannot be closed cleanly either is no news.
            log.warning("the end was not clean: %s", error)
    if end.failure is not None:
        raise _stopped(end.failure)


def run_standalone(
    settings: StandaloneSettings, data_dir: Path, began_ns: int, ready: Ready
) -> None:
    """As `run_service`."""
    data_dir = data_dir.resolve()  # once, whatever becomes of the working directory

    @asynccontextmanager
    async def opening(failed: OnFailure, before_serving: Callable[[], None]) -> Any:
        async with open_standalone(settings, data_dir, failed, before_serving) as standalone:
            addresses = standalone.broker_addresses, standalone.web_addresses
            urls = service_urls(settings.advertised_address, *addresses)
            listening = sorted({*addresses[0], *addresses[1]})
            yield Serving(urls, listening, {"data": os.fspath(data_dir)})

    run_service("standalone", opening, began_ns, ready)


def service_urls(
    host: str, broker_addresses: Sequence[str], web_addresses: Sequence[str]
) -> list[str]:
    """What clients of a broker connect to."""
    return [
        f"{scheme}://{host}:{addresses[0].rpartition(':')[2]}"
        for scheme, addresses in (("pulsar", broker_addresses), ("http", web_addresses))
        if addresses
    ]


@dataclass
class _End:
    """Why it ends.

    Attributes:
        asked: By a signal.
        served: Clients could connect.
    """

    failure: BaseException | None = None
    asked: bool = False
    served: bool = False


def _stopped(failure: BaseException) -> CommandFailedError:
    if _of_disk(failure) or isinstance(failure, DiskError | StoreFileError):
        return DiskFailedError(
            f"stopped, because the disk failed: {failure}; "
            "what was acknowledged is kept: see to the disk, then start again"
        )
    if isinstance(failure, _OUTSIDE):
        return CommandFailedError(f"stopped, because it could not go on: {failure}")
    return CommandFailedError(f"stopped by a bug: {failure!r}")


def _cannot_start(error: Exception) -> CommandFailedError:
    if isinstance(error, ConfigError):
        return WrongSettingsError(f"cannot start: {error}")
    kind = DiskFailedError if _of_disk(error) else CommandFailedError
    return kind(f"cannot start: {error}")


def _not_clean(error: Exception) -> CommandFailedError:
    kind = DiskFailedError if _of_disk(error) else CommandFailedError
    return kind(f"the end was not clean: {error}; what was acknowledged is kept")


def _of_disk(error: BaseException) -> bool:
    """Whether a disk failed or is full; a port in use or a lost connection is no such thing."""
    return isinstance(error, IndexFailedError | OutOfUseError) or (
        isinstance(error, OSError) and error.errno in _DISK_ERRORS
    )


async def _serve(name: str, opening: Opening, began_ns: int, ready: Ready, end: _End) -> None:
    ended, task = asyncio.Event(), asyncio.current_task()
    assert task is not None

    def failed(failure: BaseException) -> None:
        end.failure = end.failure or failure
        ended.set()

    def asked() -> None:
        end.asked = True
        ended.set()
        if not end.served:
            task.cancel()  # it may wait for a server that says nothing

    _when_signalled(asyncio.get_running_loop(), asked)
    with closing(manager_of_this_process()) as manager:
        try:
            async with opening(failed, calm_collector) as serving:
                took_s = (SystemClock().monotonic_ns() - began_ns) / 1e9
                end.served = True
                line, facts = _readiness(name, serving, took_s)
                ready(line, facts)
                manager.ready(line)
                # Also while it closes, which may take a while.
                manager.watch(asyncio.get_running_loop())
                await ended.wait()
                manager.stopping()
        except asyncio.CancelledError:
            if not end.asked:
                raise
            task.uncancel()


def _when_signalled(loop: asyncio.AbstractEventLoop, asked: Callable[[], None]) -> None:
    """Call back at the first signal; leave a later one to the system, which ends the process."""
    signalled = False

    def first() -> None:
        nonlocal signalled
        if signalled:
            return
        signalled = True
        loop.call_later(SECOND_SIGNAL_AFTER_MS / 1000, leave)
        asked()

    def leave() -> None:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in _SIGNALS:
        loop.add_signal_handler(number, first)


def _readiness(name: str, serving: Serving, took_s: float) -> tuple[str, dict[str, Any]]:
    facts = {
        "ready": True,
        "seconds": round(took_s, 3),
        "urls": list(serving.urls),
        "listening": list(serving.listening),
        **serving.facts,
        "pid": os.getpid(),
    }
    where = [f"{word} in {place}" for word, place in serving.facts.items()]
    if serving.listening:
        where.insert(0, f"listening on {', '.join(serving.listening)}")
    urls = "".join(f" {url}" for url in serving.urls)
    line = f"magnetar {name} ready in {took_s:.2f} s:{urls} ({'; '.join(where)})"
    return line, facts
