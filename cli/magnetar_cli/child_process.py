"""One process of a local cluster: started, found ready, ended; its log is a file."""

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from magnetar_cli.child_group import ChildGroup
from magnetar_cli.cluster_plan import HOST, ChildPlan

START_TIMEOUT_S: Final = 60.0
_POLL_INTERVAL_S: Final = 0.05
_PROBE_TIMEOUT_S: Final = 1.0
_LOG_LINES_SHOWN: Final = 5


class ChildError(Exception):
    """It did not become ready, or did not end as it should; the text is for people."""


class Child:
    """A process and its successors, should it be started again.

    Attributes:
        plan: What it is.
        pid: Of the latest process.
    """

    def __init__(
        self,
        plan: ChildPlan,
        command: Sequence[str],
        environment: Mapping[str, str],
        group: ChildGroup,
    ) -> None:
        self.plan = plan
        self.pid = 0
        self._command = command
        self._environment = environment
        self._group = group
        self._process: Process | None = None

    async def start(self) -> None:
        """Returns when it serves.

        Raises:
            ChildError: it ended before, or takes too long; nothing of it runs then.
            OSError: its files cannot be written, or it cannot be started.
        """
        self._write_files()
        with open(self.plan.log_path, "ab") as log:  # noqa: ASYNC230 - one open, no content
            process = await self._group.start(
                self._command,
                self._environment,
                self.plan.directory,
                log,
                says_when_ready=bool(self.plan.arguments),
            )
        self._process, self.pid = process, process.pid
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._ready(process)
        except TimeoutError:
            await self.end()
            raise ChildError(self._told(f"is not ready after {START_TIMEOUT_S:.0f} s")) from None

    def _write_files(self) -> None:
        directory = Path(self.plan.directory)
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in self.plan.files.items():
            (directory / name).write_text(text)

    async def _ready(self, process: Process) -> None:
        if process.stdout is None:
            await self._until_zookeeper_serves(process)
            return
        line = await process.stdout.readline()
        if not line:
            raise ChildError(self._told(f"did not start: {_end_text(await process.wait())}"))
        assert json.loads(line)["ready"] is True, line

    async def _until_zookeeper_serves(self, process: Process) -> None:
        """Scenario: it takes connections before it has its data; a client that comes too soon is
        never answered, and its connection not closed."""
        while process.returncode is None:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(_PROBE_TIMEOUT_S):
                    if b"Mode:" in await _answer(self.plan.port, b"srvr"):
                        return
            await asyncio.sleep(_POLL_INTERVAL_S)
        raise ChildError(self._told(f"did not start: {_end_text(process.returncode)}"))

    async def ended(self) -> str:
        """Waits for the end of the process that runs now, and tells how it ended."""
        assert self._process is not None
        return _end_text(await self._process.wait())

    async def end(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough; nothing if it has ended already.

        Raises:
            ChildError: it had to be killed, or had something to complain of.
        """
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self.plan.end_timeout_s):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise ChildError(
                self._told(
                    f"was killed, for it had not ended after {self.plan.end_timeout_s:.0f} s"
                )
            ) from None
        # A JVM that ends by SIGTERM says so by its exit code.
        if code not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
            raise ChildError(self._told(f"did not end cleanly: {_end_text(code)}"))

    def _told(self, what: str) -> str:
        lines = _last_lines(self.plan.log_path)
        shown = "".join(f"\n    {line}" for line in lines)
        return f"{self.plan.name} {what}; its log is {self.plan.log_path}{shown}"


async def _answer(port: int, word: bytes) -> bytes:
    """Of ZooKeeper to one of its commands of four letters."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(word)
        return await reader.read()
    finally:
        writer.close()


def _end_text(code: int) -> str:
    if code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"


def _last_lines(path: str) -> list[str]:
    with open(path, "rb") as log:
        log.seek(max(0, os.path.getsize(path) - 4096))
        return log.read().decode(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
