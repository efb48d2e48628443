"""`pulsar-client` and `pulsar-perf`, which are Java clients: keys, batches, chunks, subscriptions.

A run is a Java process of about five seconds. Apache Pulsar is not asked what its own tools do.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pulsar import ConsumerType

from bench.servers import Server
from tests.interop.java_tools import client_batch, tool
from tests.interop.official import RECEIVE_TIMEOUT_MS, Session, admin

pytestmark = [pytest.mark.interop, pytest.mark.official]

KINDS = ["Exclusive", "Failover", "Shared", "Key_Shared"]
CHUNKED_BYTES = 12_000_000
PERF_MESSAGES = 20_000
PERF_CHUNKED = 5
_AGGREGATED = re.compile(r"Aggregated throughput stats --- (\d+) records (?:sent|received)")

Perf = Callable[..., int]


@pytest.fixture
def session(magnetar_standalone: Server) -> Iterator[Session]:
    """The official Python client, on the other side."""
    with Session(magnetar_standalone) as opened:
        yield opened


@pytest.mark.parametrize("by_http", [False, True], ids=["binary", "http"])
def test_client_sends_and_receives(
    session: Session, magnetar_standalone: Server, topic: str, tmp_path: Path, by_http: bool
) -> None:
    reader = session.consumer(topic, ConsumerType.Shared)
    content = bytes(range(256)) * (CHUNKED_BYTES // 256)
    large = tmp_path / "large"
    large.write_bytes(content)
    lines = [
        f"produce -m a -m b -n 50 -k key -p x=1 {topic}",
        f"produce --chunking --disable-batching -f {large} {topic}",
        *(f"consume -s {kind} -t {kind} -p Earliest -n 100 {topic}" for kind in KINDS),
        f"consume -s Exclusive -t Exclusive -n 1 --hide-content {topic}",
    ]
    outcomes = client_batch(magnetar_standalone, tmp_path, lines, by_http=by_http)
    assert [each.exit_code for each in outcomes] == [0] * len(lines)
    messages = [reader.receive(timeout_millis=RECEIVE_TIMEOUT_MS) for _ in range(101)]
    assert [message.data() for message in messages] == [b"a", b"b"] * 50 + [content]
    assert {message.partition_key() for message in messages[:100]} == {"key"}
    assert {message.properties()["x"] for message in messages[:100]} == {"1"}
    for outcome in outcomes[2:6]:  # the last one ends when it has the large message
        came = re.findall(r"key:\[(\w+)\].*content:(\w+)", outcome.output)
        assert came == [("key", "a"), ("key", "b")] * 50, outcome.line


@pytest.fixture(scope="module")
def perf(
    magnetar_standalone: Server, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., int]:
    """Runs `pulsar-perf`; how many messages its last line of statistics tells of."""
    directory = tmp_path_factory.mktemp("perf")

    def run(*args: str, by_http: bool = False) -> int:
        output = tool(magnetar_standalone, directory, "perf", *args, by_http=by_http)
        return int(_AGGREGATED.findall(output)[-1])

    return run


@pytest.fixture(scope="module")
def performed(magnetar_standalone: Server, perf: Perf) -> tuple[str, int]:
    """A topic with compressed batches of random keys from two producers, and how many messages."""
    topic = "persistent://public/default/java-perf"
    keyed = ["-mk", "random", "-bm", "50", "-s", "200", "-r", "20000", "-z", "LZ4", "-n", "2"]
    sent = perf("produce", *keyed, "-m", str(PERF_MESSAGES), topic)
    assert sent >= PERF_MESSAGES  # it ends a little late
    path = topic.replace("://", "/")
    internal = json.loads(admin(magnetar_standalone, "GET", f"/admin/v2/{path}/internalStats"))
    assert internal["numberOfEntries"] < sent / 2, "not batched"
    return topic, sent


@pytest.mark.parametrize("kind", KINDS)
def test_perf_consumes(session: Session, perf: Perf, performed: tuple[str, int], kind: str) -> None:
    topic, sent = performed
    consumers = "1" if kind == "Exclusive" else "3"
    arguments = ["-ss", kind, "-st", kind, "-sp", "Earliest", "-n", consumers, "-m", str(sent)]
    assert perf("consume", *arguments, topic) == sent
    assert kind in session.stats(topic)["subscriptions"]


def test_perf_by_http(session: Session, perf: Perf, topic: str) -> None:
    """Lookups and partitions by HTTP, messages on the binary port that it names."""
    session.put_partitions(topic, 2)
    sent = perf("produce", "-r", "5000", "-m", "5000", topic, by_http=True)
    assert sent >= 5000
    arguments = ["-ss", "s", "-st", "Shared", "-sp", "Earliest", "-m", str(sent)]
    assert perf("consume", *arguments, topic, by_http=True) == sent
    assert "s" in session.stats(f"{topic}-partition-1")["subscriptions"]


def test_perf_sends_and_takes_chunks(perf: Perf, topic: str) -> None:
    size = ["-s", str(CHUNKED_BYTES), "-m", str(PERF_CHUNKED), "-r", "2", "-o", "1"]
    sent = perf("produce", "--chunking", "--disable-batching", *size, topic)
    assert sent >= PERF_CHUNKED
    arguments = ["-st", "Shared", "-sp", "Earliest", "-m", str(sent)]
    assert perf("consume", *arguments, topic) == sent
