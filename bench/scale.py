"""`python -m bench.scale`: how one broker takes many topics and connections, and several the load.

Figures go into bench/scale.json with the commit that was measured; `python -m bench table` puts
them into docs/performance.md. `--topics 100,1000 --brokers 1,2` measures less; nothing that was not
measured is removed.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench import results
from bench.batch import SendBatch
from bench.local_cluster import LocalCluster
from bench.many import ManyConnection, attach_all, owner_port
from bench.memory import process_memory_bytes
from bench.scale_table import SCALE
from bench.servers import ROOT
from bench.workers import Worker

BOOKIES: Final = 3
IN_FLIGHT: Final = 64
CONNECTIONS: Final = 8
LOOKUPS: Final = 3_000
SETTLE_S: Final = 3.0
LOAD_TOPICS: Final = 16
PAYLOAD_BYTES: Final = 100
MESSAGES: Final = 100_000_000
SETTINGS: Final = {"brokerDeleteInactiveTopicsEnabled": "false"}


def topic_names(count: int) -> list[str]:
    """Of the namespace that every cluster has."""
    return [f"persistent://public/default/scale-{number}" for number in range(count)]


async def measure_topics(directory: Path, count: int) -> dict[str, float]:
    """One broker, so many topics, each with a producer and a consumer of a subscription."""
    cluster, topics = LocalCluster(directory, 1, BOOKIES, SETTINGS), topic_names(count)
    await asyncio.to_thread(cluster.start)
    try:
        figures = await _make_topics(cluster, topics)
        stopped_s = time.monotonic()
        os.kill(cluster.pid("broker-0"), signal.SIGTERM)
        pid = await asyncio.to_thread(cluster.pid_after_restart, "broker-0", 300.0)
        figures["stop_and_start_s"] = round(time.monotonic() - stopped_s, 2)
        before_bytes, began_s = process_memory_bytes(pid), time.monotonic()
        connections = await _open(cluster.port, CONNECTIONS)
        await attach_all(connections, topics, IN_FLIGHT)
        figures["load_s"] = round(time.monotonic() - began_s, 2)
        await asyncio.sleep(SETTLE_S)
        figures["topic_kb"] = _each_kb(pid, before_bytes, count)
        figures |= await _lookups(connections[0], topics)
        return figures
    finally:
        await asyncio.to_thread(_end, cluster)


async def _make_topics(cluster: LocalCluster, topics: Sequence[str]) -> dict[str, float]:
    connections, began_s = await _open(cluster.port, CONNECTIONS), time.monotonic()
    await attach_all(connections, topics, IN_FLIGHT)
    took_s = time.monotonic() - began_s
    for connection in connections:
        connection.close()
    return {"make_s": round(took_s, 2)}


async def _open(port: int, count: int) -> list[ManyConnection]:
    return [await ManyConnection.open(port) for _ in range(count)]


async def _lookups(connection: ManyConnection, topics: Sequence[str]) -> dict[str, float]:
    """One after the other, each of a topic drawn by lot."""
    rng, times_ms = random.Random(1), []
    for _ in range(LOOKUPS):
        began_s = time.perf_counter()
        await connection.lookup(rng.choice(topics))
        times_ms.append((time.perf_counter() - began_s) * 1000)
    return {f"lookup_{name}_ms": value for name, value in _percentiles(times_ms).items()}


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3)}


def _each_kb(pid: int, before_bytes: int, count: int) -> float:
    return round((process_memory_bytes(pid) - before_bytes) / count / 1000, 1)


async def measure_connections(directory: Path, count: int) -> dict[str, float]:
    """One broker, so many connections with a producer each, on a hundred topics."""
    cluster, topics = LocalCluster(directory, 1, BOOKIES, SETTINGS), topic_names(100)
    await asyncio.to_thread(cluster.start)
    try:
        await attach_all(await _open(cluster.port, 1), topics, IN_FLIGHT)
        pid = cluster.pid("broker-0")
        before_bytes, began_s = process_memory_bytes(pid), time.monotonic()
        connections = await _open(cluster.port, count)
        await asyncio.gather(
            *(_produce(each, topics[n % len(topics)]) for n, each in enumerate(connections))
        )
        opened_s = time.monotonic() - began_s
        kilobytes = _each_kb(pid, before_bytes, count)
        return {
            "open_s": round(opened_s, 2),
            "connection_kb": kilobytes,
            **await _rounds(connections),
        }
    finally:
        await asyncio.to_thread(_end, cluster)


async def _produce(connection: ManyConnection, topic: str) -> None:
    from bench import wire

    await connection.request(lambda id_: wire.producer(topic, 0, id_))


async def _rounds(connections: Sequence[ManyConnection]) -> dict[str, float]:
    """Each connection sends one message in turn, over and over, spread over a second a round."""
    frame = bytes(SendBatch(PAYLOAD_BYTES).buffer[: SendBatch(PAYLOAD_BYTES).frame_bytes])
    times_ms: list[float] = []

    async def one(connection: ManyConnection, after_s: float) -> None:
        await asyncio.sleep(after_s)
        began_s = time.perf_counter()
        await connection.send(frame)
        times_ms.append((time.perf_counter() - began_s) * 1000)

    for _ in range(5):
        await asyncio.gather(
            *(one(each, n / len(connections)) for n, each in enumerate(connections))
        )
    return {f"receipt_{name}_ms": value for name, value in _percentiles(times_ms).items()}


async def measure_brokers(directory: Path, count: int, seconds: float) -> dict[str, float]:
    """So many brokers on the same bookies, one raw loader for the topics of each."""
    cluster, topics = LocalCluster(directory, count, BOOKIES, SETTINGS), topic_names(LOAD_TOPICS)
    await asyncio.to_thread(cluster.start)
    try:
        of_port: dict[int, list[str]] = {}
        for topic in topics:
            of_port.setdefault(await owner_port(cluster.port, topic), []).append(topic)
        workers = [
            Worker(
                "raw_producer",
                port=port,
                topics=its_topics,
                payload_bytes=PAYLOAD_BYTES,
                seconds=seconds,
                messages=MESSAGES,
            )
            for port, its_topics in of_port.items()
        ]
        ends = [await asyncio.to_thread(worker.result, seconds) for worker in workers]
        return {
            "brokers_with_topics": len(of_port),
            "entries_per_s": round(sum(end["entries_per_s"] for end in ends)),
            "receipt_p99_ms": round(max(end["receipt_p99_ms"] for end in ends), 1),
        }
    finally:
        await asyncio.to_thread(_end, cluster)


def _end(cluster: LocalCluster) -> None:
    cluster.kill()
    cluster.wipe()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    numbers = {"topics": "100,1000,10000", "connections": "1000", "brokers": "1,2,4"}
    for name, default in numbers.items():
        parser.add_argument(f"--{name}", type=_numbers, default=_numbers(default))
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--note", default="", help="what else the machine did")
    parser.add_argument("--output", type=Path, default=SCALE)
    options = parser.parse_args()
    directory = ROOT / "bench" / "out" / f"scale-{os.getpid()}"
    for count in options.topics:
        _keep(options, "topics", count, asyncio.run(measure_topics(directory, count)))
    for count in options.connections:
        _keep(options, "connections", count, asyncio.run(measure_connections(directory, count)))
    for count in options.brokers:
        figures = asyncio.run(measure_brokers(directory, count, options.seconds))
        _keep(options, "brokers", count, figures)


def _numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",") if word]


def _keep(options: argparse.Namespace, kind: str, count: int, figures: dict[str, Any]) -> None:
    print(kind, count, figures, flush=True)
    document = json.loads(options.output.read_text()) if options.output.exists() else {}
    commit = results.path_of_head().stem
    row = {**figures, "commit": commit, "note": options.note}
    document.setdefault(kind, {})[str(count)] = row
    document["machine"] = results.describe_machine(ROOT / "bench" / "out")
    options.output.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
