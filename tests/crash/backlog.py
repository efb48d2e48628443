"""A backlog much larger than memory is written, survives a restart and is drained.

`python -m tests.crash.backlog --mib 8192` prints the figures of each phase as JSON. Memory is the
proportional set size of the server's processes: with the mapped pages of the location index, but
without the file system's page cache, which the kernel takes back when it likes.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from bench.errors import BenchError
from bench.memory import group_memory_bytes
from bench.page_cache import drop_pages
from bench.servers import Magnetar
from bench.workers import measure

TOPIC: Final = "persistent://public/default/backlog"
ENTRY_BYTES: Final = 64 << 10
SAMPLE_S: Final = 0.25
TICK_S: Final = 0.005
PHASE_LIMIT_S: Final = 3600.0
MIB: Final = 1 << 20


@dataclass(slots=True)
class Phase:
    """What the server needed for one phase.

    Attributes:
        machine_ms: how late this process, which only waits, was woken at the worst: on a machine
            that is shared, a stall of the server may be as long without its doing.
    """

    name: str
    seconds: float = 0.0
    messages: int = 0
    memory_mib: float = 0.0
    stall_ms: float = 0.0
    collector_ms: float = 0.0
    machine_ms: float = 0.0


def run(server: Magnetar, entries: int) -> list[Phase]:
    """Write, restart with the pages dropped, drain; returns the figures of both processes."""
    server.start()
    # The subscription comes first, else nothing keeps the entries.
    _load(server, "raw_consumer", topic=TOPIC, subscriptions=["drain"], messages=0, seconds=0)
    with _observed(server, "write") as write:
        arguments = {"topics": [TOPIC], "payload_bytes": ENTRY_BYTES, "seconds": PHASE_LIMIT_S}
        figures = _load(server, "raw_producer", messages=entries, **arguments)
        write.messages, write.seconds = int(figures["messages"]), figures["seconds"]
    server.stop()
    drop_pages(server.data_directory)
    server.start()
    with _observed(server, "drain") as drain:
        arguments = {"topic": TOPIC, "subscriptions": ["drain"], "seconds": PHASE_LIMIT_S}
        figures = _load(server, "raw_consumer", messages=entries, **arguments)
        drain.messages, drain.seconds = int(figures["messages"]), figures["seconds"]
    server.stop()
    return [write, drain]


def _load(server: Magnetar, module: str, **arguments: object) -> dict[str, float]:
    return measure(module, PHASE_LIMIT_S, port=server.port, **arguments)


@contextmanager
def _observed(server: Magnetar, name: str) -> Iterator[Phase]:
    """Takes the server's memory again and again meanwhile, and its longest stall at the end."""
    assert server.process is not None
    pid, phase, over = server.process.pid, Phase(name), threading.Event()

    def watch() -> None:
        sampled_s = time.monotonic()
        while not over.is_set():
            before_s = time.monotonic()
            time.sleep(TICK_S)
            now_s = time.monotonic()
            phase.machine_ms = max(phase.machine_ms, (now_s - before_s - TICK_S) * 1000)
            if now_s - sampled_s >= SAMPLE_S:
                phase.memory_mib = max(phase.memory_mib, group_memory_bytes(pid) / MIB)
                sampled_s = now_s

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield phase
        phase.stall_ms = _gauge(server, "magnetar_loop_stall_longest_us") / 1000
        phase.collector_ms = _gauge(server, "magnetar_collector_pause_longest_us") / 1000
    finally:
        over.set()
        thread.join()


def _gauge(server: Magnetar, name: str) -> float:
    with urllib.request.urlopen(f"{server.web_url}/metrics", timeout=30) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name):
                return float(line.split()[-1])
    raise AssertionError(f"no {name} among the metrics")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--directory", type=Path, default=None, help="where the data goes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
        server = Magnetar(Path(directory))
        try:
            phases = run(server, arguments.mib * MIB // ENTRY_BYTES)
        except BenchError:
            if server.process is not None:
                print(server.process.output()[-3000:], file=sys.stderr)
            raise
        finally:
            server.kill()
    for phase in phases:
        print(json.dumps(asdict(phase)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
