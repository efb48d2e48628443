"""A broker whose whole data directory lies on a drive that loses what was not synced."""

import importlib.util
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self, TextIO

from bench.errors import ServerError
from bench.processes import ServerProcess
from bench.servers import ROOT, START_TIMEOUT_S, Magnetar

SETTINGS: Final = {
    "journalMaxSizeMB": "1",
    "flushInterval": "200",
    "dbStorage_writeCacheMaxSizeMb": "4",
    "managedLedgerMaxEntriesPerLedger": "2000",
    "managedLedgerMinLedgerRolloverTimeMinutes": "0",
}
"""Everything that a broker does on a disk happens within a second of load: new journal files,
flushes, new ledgers in the metadata store."""

DAMAGE: Final = "entries may be missing"
SYNC_S: Final = 0.002
"""How long a sync takes: as on a real drive, there is always one under way when the power goes."""
CUT_AT_START_SHARE: Final = 0.3
START_S: Final = (0.2, 0.6)
"""Within it a start opens its files, replays and begins anew."""
STALL_S: Final = (0.05, 0.2)
MOUNT_TIMEOUT_S: Final = 10.0


def missing() -> str | None:
    """Why no such drive can be had on this machine; None if it can."""
    if not os.path.exists("/dev/fuse"):
        return "there is no /dev/fuse"
    if shutil.which("fusermount3") is None:
        return "fusermount3 is not installed (Debian: fuse3)"
    if importlib.util.find_spec("mfusepy") is None:
        return "mfusepy is not installed"
    return None


class MountedDrive:
    """The process of `drive_fs` and its mount; see there for what can be asked of it."""

    def __init__(self, mountpoint: Path) -> None:
        self.mountpoint = mountpoint
        mountpoint.mkdir(parents=True)
        self._log = mountpoint.with_suffix(".log")
        with self._log.open("a") as log:
            self._process = self._start(log)
        deadline_s = time.monotonic() + MOUNT_TIMEOUT_S
        while not mountpoint.is_mount():
            assert self._process.poll() is None, "the drive ended"
            assert time.monotonic() < deadline_s, "the drive is not mounted"
            time.sleep(0.01)

    def _start(self, log: TextIO) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.crash.drive_fs", os.fspath(self.mountpoint)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, verb: str, **values: object) -> dict[str, Any]:
        """One command; returns the drive's figures."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"verb": verb, **values}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the drive ended: {self._log.read_text()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Unmount, and forget all. Nobody may have files open there."""
        self._process.stdout.close()
        self._process.stdin.close()
        self._process.wait()


class PoweredMagnetar(Magnetar):
    """A standalone on a mounted drive: its end by `kill` is a power cut.

    Half of the cuts begin with syncs that never return while the broker goes on: whoever
    acknowledges without them, or before them, has then promised what is lost.
    """

    def __init__(
        self,
        directory: Path,
        drive: MountedDrive,
        rng: random.Random,
        settings: Mapping[str, str] | None = None,
        *,
        mutant: str | None = None,
    ) -> None:
        """Args: `mutant` is one of `mutants.py`."""
        super().__init__(directory, {**SETTINGS, **(settings or {})})
        self.drive = drive
        self.mutant = mutant
        self._rng = rng
        drive.ask("sync_takes", seconds=SYNC_S)

    @property
    def data_directory(self) -> Path:
        return self.drive.mountpoint / "data"

    def launch(self) -> ServerProcess:
        """As always, but the data directory is the broker's to make: it must be durable."""
        assert self.process is None, "already running"
        self.process = ServerProcess(
            self._command(), self.log_path, self._environment(), self.directory
        )
        return self.process

    def start(self, timeout_s: float = START_TIMEOUT_S) -> float:
        """As always; a power cut leaves torn ends behind, and none may be taken for damage."""
        ready_s = super().start(timeout_s)
        self._check_damage()
        return ready_s

    def _check_damage(self) -> None:
        assert self.process is not None
        output = self.process.output()
        if DAMAGE in output:
            raise ServerError(f"damage after a power cut:\n{output}")

    def kill(self) -> None:
        """Cut the power: the process is gone, and of the drive what was not synced.

        Now and then again during the start that follows.
        """
        if self.process is None:
            return
        self._kill_and_cut()
        while self._rng.random() < CUT_AT_START_SHARE:
            self.launch()
            time.sleep(self._rng.uniform(*START_S))
            self._check_damage()
            self._kill_and_cut()

    def _kill_and_cut(self) -> None:
        assert self.process is not None
        if self._rng.random() < 0.5:
            self.drive.ask("stall")
            time.sleep(self._rng.uniform(*STALL_S))
        # It cannot end while a sync of its hangs, and is not to go on when that returns.
        self.process.signal_kill()
        self.drive.ask("resume")
        super().kill()
        self.cut_power()

    def cut_power(self) -> None:
        """Of the drive alone; no broker may be running."""
        self.drive.ask("cut", seed=self._rng.getrandbits(32))

    def end_of_itself(self, timeout_s: float) -> tuple[int, str]:
        """Waits until the broker ends; returns its exit code and what it printed."""
        assert self.process is not None, "not running"
        process, self.process = self.process, None
        try:
            return process.wait(timeout_s), process.output()
        finally:
            process.kill()

    def _command(self) -> list[str]:
        command = super()._command()
        if self.mutant is None:
            return command
        arguments = command[command.index("standalone") :]
        return [sys.executable, "-m", "tests.crash.mutants", self.mutant, *arguments]

    def _environment(self) -> dict[str, str]:
        return {"PYTHONPATH": os.fspath(ROOT)} if self.mutant else {}
