"""Power cuts of all bookies of a ledger at once, on a drive that loses what was not synced.

The entries come from our ledger client; the metadata is in a ZooKeeper that goes on. Whatever was
confirmed must be there afterwards: what one bookie has promised, two have.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from magnetar_ledger.client import LedgerClient
from magnetar_ledger.connect import connect

from bench.bookies import MagnetarBookie, ZooKeeper
from bench.errors import ServerError
from bench.processes import ServerProcess
from bench.servers import APACHE, HOST, ROOT, START_TIMEOUT_S
from tests.crash.bookie_kill_loop import Load, payload
from tests.crash.powered import DAMAGE, STALL_S, SYNC_S, MountedDrive

BOOKIES = 3
LOAD_S = (0.5, 1.5)
CUT_AT_START_SHARE = 0.3
START_S = (0.3, 1.5)
WRITER_ENDS_S = 60.0
SETTINGS = {
    "journalMaxSizeMB": "1",
    "flushInterval": "200",
    "dbStorage_writeCacheMaxSizeMb": "4",
}


@dataclass
class Summary:
    """What a number of cuts gave."""

    cuts: int = 0
    cuts_at_start: int = 0
    confirmed: int = 0
    found: int = 0
    lost: int = 0
    ready_s: list[float] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ready_s": [round(each, 2) for each in self.ready_s]}


class PoweredBookie(MagnetarBookie):
    """A bookie whose directories lie on a mounted drive."""

    def __init__(
        self,
        directory: Path,
        zookeeper: str,
        data_directory: Path,
        settings: Mapping[str, str],
        mutant: str | None,
    ) -> None:
        """Args: `mutant` is one of `mutants.py`."""
        super().__init__(directory, zookeeper, settings)
        self._data_directory = data_directory
        self._mutant = mutant

    @property
    def data_directory(self) -> Path:
        return self._data_directory

    def launch(self) -> ServerProcess:
        """As always, but the data directory is the bookie's to make: it must be durable."""
        assert self.process is None, "already running"
        self.process = ServerProcess(
            self._command(), self.log_path, self._environment(), self.directory
        )
        return self.process

    def wait_ready(self) -> None:
        """After `launch`: until it serves."""
        assert self.process is not None
        self._wait_ready(self.process, START_TIMEOUT_S)

    def check_damage(self) -> None:
        """Raises ServerError if torn ends were taken for damage."""
        assert self.process is not None
        if DAMAGE in (output := self.process.output()):
            raise ServerError(f"damage after a power cut:\n{output}")

    def _command(self) -> list[str]:
        command = super()._command()
        if self._mutant is None:
            return command
        arguments = command[command.index("bookie") :]
        return [sys.executable, "-m", "tests.crash.mutants", self._mutant, *arguments]

    def _environment(self) -> dict[str, str]:
        return {"PYTHONPATH": os.fspath(ROOT)} if self._mutant else {}


class BookiePowerLoop:
    """Cuts on one cluster; close it."""

    def __init__(
        self, directory: Path, drive: MountedDrive, rng: random.Random, mutant: str | None = None
    ) -> None:
        self._drive = drive
        self._rng = rng
        self._zookeeper = ZooKeeper(directory / "zookeeper")
        address = f"{HOST}:{self._zookeeper.port}"
        self._url = f"zk:{address}"
        self._bookies = [
            PoweredBookie(
                directory / f"bookie-{n}", address, drive.mountpoint / f"data-{n}", SETTINGS, mutant
            )
            for n in range(BOOKIES)
        ]
        self._confirmed: dict[int, int] = {}  # entries by ledger
        self.summary = Summary()
        drive.ask("sync_takes", seconds=SYNC_S)

    def start(self) -> None:
        """Start everything for the first time."""
        for server in (self._zookeeper, *self._bookies):
            server.directory.mkdir()
        self._zookeeper.start()
        address = self._url.removeprefix("zk:")
        self._zookeeper.init(os.fspath(APACHE), "init-bookkeeper", address)
        self._start_bookies()

    def close(self) -> None:
        for server in (*self._bookies, self._zookeeper):
            server.kill()

    def work_without_a_cut(self) -> None:
        """Write, stop, start and read; nothing may be missing."""
        asyncio.run(self._write_and_close())
        for bookie in self._bookies:
            bookie.stop()
        self._start_bookies()
        asyncio.run(self._audit())
        assert self.summary.confirmed > 0
        assert self.summary.lost == 0, "it loses entries without a cut"

    def run(self, cuts: int) -> Summary:
        """So many cuts, none more after one that did harm."""
        for _ in range(cuts):
            asyncio.run(self._write_and_cut())
            self._cut_again_at_start()
            self._start_bookies()
            asyncio.run(self._audit())
            self.summary.cuts += 1
            if self.summary.lost:
                break
        return self.summary

    async def _write_and_close(self) -> None:
        async with connect(self._url) as client:
            writer = await client.create(ensemble_size=3, write_quorum=3, ack_quorum=2)
            load = Load(writer)
            await asyncio.sleep(LOAD_S[0])
            await load.drain()
            assert load.error is None, load.error
            await writer.close()
        self._note(writer.ledger_id, load)

    async def _write_and_cut(self) -> None:
        async with connect(self._url) as client:
            writer = await client.create(ensemble_size=3, write_quorum=3, ack_quorum=2)
            load = Load(writer)
            await asyncio.sleep(self._rng.uniform(*LOAD_S))
            await asyncio.to_thread(self._cut)
            async with asyncio.timeout(WRITER_ENDS_S):
                while load.error is None:
                    await asyncio.sleep(0.01)
        self._note(writer.ledger_id, load)

    def _note(self, ledger_id: int, load: Load) -> None:
        self._confirmed[ledger_id] = load.count
        self.summary.confirmed += load.count

    def _cut(self) -> None:
        """Of all bookies at once. Half of the cuts begin with syncs that never return: whoever
        acknowledges without them, or before them, has then promised what is lost."""
        if self._rng.random() < 0.5:
            self._drive.ask("stall")
            time.sleep(self._rng.uniform(*STALL_S))
        for bookie in self._bookies:
            assert bookie.process is not None
            bookie.process.signal_kill()
        self._drive.ask("resume")
        for bookie in self._bookies:
            bookie.kill()
        self._drive.ask("cut", seed=self._rng.getrandbits(32))

    def _cut_again_at_start(self) -> None:
        while self._rng.random() < CUT_AT_START_SHARE:
            for bookie in self._bookies:
                bookie.launch()
            time.sleep(self._rng.uniform(*START_S))
            for bookie in self._bookies:
                bookie.check_damage()
            self._cut()
            self.summary.cuts_at_start += 1

    def _start_bookies(self) -> None:
        began_s = time.monotonic()
        for bookie in self._bookies:
            bookie.launch()
        for bookie in self._bookies:
            bookie.wait_ready()
            bookie.check_damage()
        self.summary.ready_s.append(time.monotonic() - began_s)

    async def _audit(self) -> None:
        """All ledgers so far; the first reader of one recovers it, which closes it."""
        async with connect(self._url) as client:
            for ledger_id, confirmed in self._confirmed.items():
                found = await self._read(client, ledger_id)
                self.summary.found += found
                self.summary.lost += max(0, confirmed - found)

    async def _read(self, client: LedgerClient, ledger_id: int) -> int:
        reader = await client.open(ledger_id, recover=True)
        found = 0
        while found <= reader.last_add_confirmed:
            for entry in await reader.read(found, 1000, 4_000_000):
                assert entry == payload(found), f"{ledger_id}:{found} is {entry!r}"
                found += 1
        return found
