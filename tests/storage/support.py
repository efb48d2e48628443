"""What the tests of the storage engine share: a worker without a thread, disks that fail, a box."""

import asyncio
import errno
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from magnetar_proto.bookie import FENCE, Status
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.disk import DiskError, File
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage.config import BookieConfig
from magnetar_storage.engine import BookieEngine
from magnetar_storage.parts import BookieWorkers, EngineParts

from tests.proto.bookie_contract import KEY, LEDGER, MAX_BYTES, Adds, Reads, header_of, payload_of

SMALL = {"journal_file_bytes": 64 << 10, "flush_interval_ms": 3_600_000}


class InlineWorker:
    """Makes calls at once and tells their ends on the loop: a worker that never overtakes."""

    def __init__(self) -> None:
        self.held: list[tuple[Callable[[], Any], Callable[[Any, BaseException | None], None]]] = []
        self.holding = False

    def submit(
        self, call: Callable[[], Any], done: Callable[[Any, BaseException | None], None]
    ) -> None:
        if self.holding:
            self.held.append((call, done))
            return
        result, error = None, None
        try:
            result = call()
        except Exception as raised:  # noqa: BLE001 - goes to `done`, as in the real worker
            error = raised
        asyncio.get_running_loop().call_soon(done, result, error)

    def release(self) -> None:
        """Make the calls that were held back."""
        self.holding = False
        held, self.held = self.held, []
        for call, done in held:
            self.submit(call, done)

    async def run(self, call: Callable[[], Any]) -> Any:
        future = asyncio.get_running_loop().create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.submit(call, done)
        return await future

    async def close(self) -> None:
        return


class FailingFile:
    """A file whose syncs fail while the disk says so."""

    def __init__(self, file: File, disk: "FailingDisk") -> None:
        self._file = file
        self._disk = disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def sync(self) -> None:
        self._disk.syncs += 1
        if self._disk.failing and self._disk.failing in self._file.path:
            raise DiskError(errno.EIO, "planned", self._file.path)
        self._file.sync()

    def close(self) -> None:
        self._file.close()
        if self._disk.failing_close and self._disk.failing_close in self._file.path:
            raise DiskError(errno.EIO, "planned close", self._file.path)


class FailingDisk(SystemDisk):
    """A real disk whose syncs of files with `failing` in their path fail, and closes likewise."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = ""
        self.failing_close = ""
        self.syncs = 0

    def create(self, path: str) -> Any:
        return FailingFile(super().create(path), self)

    def open(self, path: str) -> Any:
        return FailingFile(super().open(path), self)


class Box:
    """An engine in a directory, with sinks, and the ways that it can end."""

    def __init__(self, directory: Path, **settings: Any) -> None:
        self.directory = directory
        self.settings = {**SMALL, **settings}
        self.ledger_names = ["ledgers"]
        self.journal_names = ["journal"]
        self.disk = FailingDisk()
        self.journal_worker = InlineWorker()
        self.storage_worker = InlineWorker()
        self.failures: list[BaseException] = []
        self.bookie: BookieEngine

    @property
    def config(self) -> BookieConfig:
        return BookieConfig(
            ledger_directories=tuple(str(self.directory / name) for name in self.ledger_names),
            journal_directories=tuple(str(self.directory / name) for name in self.journal_names),
            **self.settings,
        )

    @property
    def parts(self) -> EngineParts:
        """Of the first ledger directory's engine."""
        return self.bookie.engines[0].parts

    @property
    def flood_bytes(self) -> int:
        return self.config.journal_queue_bytes

    @property
    def journals(self) -> list[Path]:
        return sorted((self.directory / "journal").glob("*.journal"))

    @property
    def logs(self) -> list[Path]:
        return sorted((self.directory / "ledgers" / "entries").glob("*.log"))

    async def open(self) -> BookieEngine:
        self.bookie = await BookieEngine.open(
            self.config,
            self.disk,
            BookieWorkers(self.journal_worker, self.storage_worker, [InlineWorker()]),
            SystemClock(),
            random.Random(),
            asyncio.get_running_loop(),
            on_failure=self.failures.append,
        )
        return self.bookie

    async def settle(self) -> None:
        """Until nothing is under way."""
        bookie = self.bookie
        for _ in range(100_000):
            await asyncio.sleep(0)
            if not (
                any(each._in_flight or each._group.parts for each in bookie.journals.all)
                or any(each.parts.reads.pending for each in bookie.engines)
                or any(each.parts.flusher.busy for each in bookie.engines)
            ):
                break
        else:
            raise AssertionError("the engine does not come to rest")
        for _ in range(5):
            await asyncio.sleep(0)

    async def crash(self) -> None:
        """What the system does for a killed process: locks and descriptors go, nothing else."""
        bookie = self.bookie
        for engine in bookie.engines:
            engine.parts.flusher.stop()
        await bookie._tasks.close()
        for journal in bookie.journals.all:
            for journal_file in journal.supply.open_files:
                journal_file.file.close()
        for engine in bookie.engines:
            await engine.parts.readers.close()
            engine.parts.writer.close()
            engine.parts.catalog.index.close()
        for lock in bookie._found.locks:
            lock.release()

    async def restart(self) -> None:
        await self.crash()
        await self.open()

    async def reopen(self) -> None:
        """A clean stop and a start."""
        await self.bookie.close()
        await self.open()

    async def add(
        self,
        entry_ids: Sequence[int],
        *,
        ledger_id: int = LEDGER,
        size: int = 20,
        flags: int = 0,
        key: bytes = KEY,
    ) -> dict[int, Status]:
        """Add entries and wait for their ends."""
        sink = Adds()
        for entry_id in entry_ids:
            header, payload = header_of(ledger_id, entry_id), payload_of(entry_id, size)
            self.bookie.add(ledger_id, [entry_id], key, [header], [payload], flags, sink)
        await self.settle()
        return sink.by_entry

    async def read(
        self,
        first_entry: int,
        max_entries: int = 1000,
        *,
        ledger_id: int = LEDGER,
        flags: int = 0,
        max_bytes: int = MAX_BYTES,
    ) -> tuple[Status, int, list[bytes]]:
        sink = Reads()
        self.bookie.read(ledger_id, first_entry, max_entries, max_bytes, flags, KEY, sink, 1)
        await self.settle()
        ((_, status, first, entries),) = sink.rows
        return status, first, entries

    async def fence(self, ledger_id: int = LEDGER) -> Status:
        return (await self.read(-1, 1, ledger_id=ledger_id, flags=FENCE))[0]


def flip(path: Path, offset: int) -> None:
    """Turn one bit over."""
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 0x10]))
