"""Files of one of three bookies are spoilt: does anybody notice, and does the bookie mend itself?

The bookies are engines in this process, on real files; a crash is what the system does for a killed
process.
"""

import asyncio
import random
from dataclasses import dataclass, field
from pathlib import Path

from magnetar_ledger.bookie_health import BookieHealth
from magnetar_ledger.bookie_pool import LocalBookies
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.mending import ReplicaMender
from magnetar_ledger.placement import RandomPlacement
from magnetar_ledger.verification import verify_ledger
from magnetar_ledger.writer import LedgerWriter
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.memory import MemoryStore
from magnetar_proto.bookie import Bookie
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.scope import TaskScope
from magnetar_storage.scrub.config import ScrubConfig
from magnetar_storage.scrub.scrubber import Scrubber

from tests.interop.apache_bookies import Confirmed
from tests.storage.support import Box

BOOKIES = 3
LEDGERS = 4
RUNS = 4
RUN_ENTRIES = 30
PAYLOAD_BYTES = 700
SETTINGS = {"entry_log_bytes": 48 << 10, "journal_seal_ms": 1}
SEAL_WAIT_S = 0.05
PASSWORD = b"secret"
RATE = 1 << 40
SCRUB = ScrubConfig(
    interval_ms=1, first_delay_ms=0, retry_ms=1, max_retry_ms=1, rate_bytes_per_s=RATE
)
QUICK = LedgerClientConfig(speculative_read_timeout_ms=0, quarantine_errors=0)


@dataclass
class Harm:
    """What is done to the files of a bookie.

    Attributes:
        done: a line for each harm, for whoever looks at a failure.
    """

    rng: random.Random
    done: list[str] = field(default_factory=list)

    def spoil(self, files: list[Path], times: int) -> None:
        """Turn bits over, or cut files."""
        for _ in range(times):
            path = self.rng.choice(files)
            size = len(path.read_bytes().rstrip(b"\0"))  # journals are made in their full length
            if not size:
                continue
            if self.rng.random() < 0.2:
                self._cut(path, self.rng.randrange(size))
            else:
                self._flip(path, size)

    def _cut(self, path: Path, size: int) -> None:
        with path.open("r+b") as file:
            file.truncate(size)
        self.done.append(f"{path.name} cut to {size}")

    def _flip(self, path: Path, size: int) -> None:
        with path.open("r+b") as file:
            offset = self.rng.randrange(size)
            file.seek(offset)
            byte = file.read(1)[0] ^ 1 << self.rng.randrange(8)
            file.seek(offset)
            file.write(bytes([byte]))
        self.done.append(f"{path.name} flipped at {offset}")


class MinorityCluster:
    """Three bookies, metadata in memory, and what was confirmed.

    Attributes:
        confirmed: by ledger, how many entries.
        mended: entries that the bookies brought back.
    """

    def __init__(self, directory: Path, rng: random.Random) -> None:
        self._rng = rng
        self._clock = SystemClock()
        self.registry = LedgerRegistry(MemoryStore(self._clock))
        self.boxes = [Box(directory / f"b{n}", **SETTINGS) for n in range(BOOKIES)]
        self._bookies: dict[str, Bookie] = {}
        self._scope = TaskScope()
        self.confirmed: dict[int, int] = {}
        self.open_ledgers: list[int] = []
        self.mended = 0

    async def start(self) -> None:
        for box in self.boxes:
            box.directory.mkdir(exist_ok=True)
            await box.open()
            self._bookies[box.bookie.bookie_id] = box.bookie

    async def stop(self) -> None:
        await self._scope.close()
        for box in self.boxes:
            await box.bookie.close()

    @property
    def tools(self) -> ClientTools:
        return ClientTools(
            self.registry,
            LocalBookies(self._bookies),
            RandomPlacement(self._writable),
            self._rng,
            self._clock,
            self._scope,
            QUICK,
            BookieHealth(QUICK),
        )

    async def _writable(self) -> list[str]:
        return list(self._bookies)

    async def write(self) -> None:
        """Ledgers side by side: in entry logs, in journals, closed and left open."""
        client = LedgerClient.with_tools(self.tools)
        writers: list[tuple[LedgerWriter, Confirmed]] = []
        for number in range(LEDGERS):
            striped = number % 2
            writer = await client.create(
                ensemble_size=BOOKIES,
                write_quorum=2 if striped else 3,
                ack_quorum=2,
                password=PASSWORD,
            )
            writer.sink = sink = Confirmed()
            writers.append((writer, sink))
        for run in range(RUNS):
            for writer, sink in writers:
                first = writer.entries_pushed
                writer.add_all([payload(writer.ledger_id, first + n) for n in range(RUN_ENTRIES)])
                await sink.wait(first + RUN_ENTRIES)
            if run < RUNS - 2:  # the last ones stay in journals
                for box in self.boxes:
                    await box.settle()
                    await box.bookie.flush()
        for writer, sink in writers:
            self.confirmed[writer.ledger_id] = sink.count
            if writer.ledger_id % 4 < 2:
                await writer.close()
            else:
                self.open_ledgers.append(writer.ledger_id)
        for box in self.boxes:
            await box.settle()

    async def harm(self, box: Box, patterns: list[str], times: int) -> Harm:
        """Kill a bookie, spoil its files, start it again.

        It rests before: damage to the group written last, as it is killed, is a torn write to it.
        """
        await asyncio.sleep(SEAL_WAIT_S)
        await box.settle()
        await box.crash()
        files = sorted(path for pattern in patterns for path in box.directory.glob(pattern))
        harm = Harm(self._rng)
        harm.spoil(files, times)
        await box.open()
        self._bookies[box.bookie.bookie_id] = box.bookie
        return harm

    async def read_all(self) -> None:
        """Every confirmed entry is read as it was written; open ledgers are closed behind them."""
        client = LedgerClient.with_tools(self.tools)
        for ledger_id, count in self.confirmed.items():
            reader = await client.open(ledger_id, password=PASSWORD, recover=True)
            last = reader.last_add_confirmed
            assert last == count - 1, f"{ledger_id} of {count} entries is closed at {last}"
            found: list[bytes] = []
            while len(found) < count:
                found += await reader.read(len(found), 50, 1 << 20)
            assert found == [payload(ledger_id, number) for number in range(count)]

    async def scrub(self, box: Box) -> None:
        """As the bookie does by itself."""
        bookie = box.bookie
        mender = ReplicaMender(self.tools, bookie, bookie.bookie_id, RATE)
        scrubber = Scrubber(bookie, self.registry, mender, SCRUB, self._clock)
        for _ in range(20):
            await asyncio.sleep(0.002)
            await scrubber.run_due()
            if not scrubber.waiting:
                break
        assert not scrubber.waiting
        self.mended += bookie.counters.scrub_entries_mended

    async def bad_copies(self) -> int:
        """How many copies of all bookies are missing or bad."""
        bad = 0
        for ledger_id, count in self.confirmed.items():
            found = await self.registry.read(ledger_id)
            assert found is not None
            checked = await verify_ledger(self.tools, ledger_id, found[0], count - 1)
            assert checked.lost == []
            bad += sum(f.last_entry_id - f.first_entry_id + 1 for f in checked.faults)
        return bad


def payload(ledger_id: int, number: int) -> bytes:
    return (b"%d:%d " % (ledger_id, number)).ljust(PAYLOAD_BYTES, b"-")
