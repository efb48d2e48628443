"""Records the frames between the official client and a real broker, as golden files for the tests.

    python tools/record_frames.py --broker localhost:6650 --web http://localhost:8080 OUT_DIR

Needs `pulsar-client` and a broker that advertises a loopback address: only then does it tell the
client to stay on the address that it was given, which is this recorder's. With
`acknowledgmentAtBatchIndexLevelEnabled=true` and a short `keepAliveIntervalSeconds` on the broker
the files hold ack sets and pings too.

One file per scenario, one JSON line per frame in the order of arrival here:
{"connection": 1, "from": "client" or "broker", "frame": hex}.
"""

import argparse
import json
import socket
import struct
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulsar
from pulsar.schema import JsonSchema, Record, String

TIMEOUT_MS = 10_000
PINGS_S = 12.0
Row = dict[str, Any]


class Recorder:
    """A TCP relay on a port of its own that keeps each frame that passes."""

    def __init__(self, broker: tuple[str, int]) -> None:
        self._broker = broker
        self._rows: list[Row] = []
        self._lock = threading.Lock()
        self._connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def take(self) -> list[Row]:
        """The frames since the last call."""
        with self._lock:
            rows, self._rows, self._connections = self._rows, [], 0
        return rows

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            broker = socket.create_connection(self._broker)
            with self._lock:
                self._connections += 1
                number = self._connections
            for source, target, name in ((client, broker, "client"), (broker, client, "broker")):
                pump = threading.Thread(
                    target=self._pump, args=(source, target, number, name), daemon=True
                )
                pump.start()

    def _pump(self, source: socket.socket, target: socket.socket, number: int, name: str) -> None:
        held = b""
        try:
            while chunk := source.recv(1 << 16):
                held = self._keep(held + chunk, number, name)
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other side was closed first; what passed is kept

    def _keep(self, data: bytes, number: int, name: str) -> bytes:
        while len(data) >= 4:
            end = 4 + struct.unpack_from(">I", data)[0]
            if len(data) < end:
                break
            row = {"connection": number, "from": name, "frame": data[:end].hex()}
            with self._lock:
                self._rows.append(row)
            data = data[end:]
        return data


class Person(Record):  # type: ignore[misc]
    """What the schema scenario sends."""

    name = String()


class Scenarios:
    """What is recorded; each method is one file."""

    def __init__(self, url: str, web: str) -> None:
        self._url = url
        self._web = web
        self._client: Any = None

    def run(self, scenario: Callable[[], None]) -> None:
        self._client = pulsar.Client(self._url, operation_timeout_seconds=10)
        try:
            scenario()
        finally:
            self._client.close()

    def produce_plain(self) -> None:
        producer = self._client.create_producer("plain", batching_enabled=False)
        producer.send(b"first")
        producer.send(b"second", properties={"color": "blue"}, event_timestamp=1_700_000_000_000)
        producer.send(b"keyed", partition_key="key-1", ordering_key="order-1")
        producer.send(b"x" * 5000)
        producer.close()

    def produce_batched(self) -> None:
        for kind in (pulsar.CompressionType.NONE, pulsar.CompressionType.ZLib):
            producer = self._client.create_producer(
                "batched",
                batching_enabled=True,
                batching_max_publish_delay_ms=50,
                compression_type=kind,
            )
            self._send_batch(producer, 10)
            producer.send(b"batch of one")
            producer.close()

    def _send_batch(self, producer: Any, count: int) -> None:
        for number in range(count):
            producer.send_async(b"message %d" % number, callback=lambda *_: None)
        producer.flush()

    def _subscribe(self, topic: str, kind: Any, **more: Any) -> Any:
        return self._client.subscribe(
            topic,
            "subscription",
            consumer_type=kind,
            initial_position=pulsar.InitialPosition.Earliest,
            negative_ack_redelivery_delay_ms=100,
            **more,
        )

    def _fill(self, topic: str, count: int = 5) -> None:
        producer = self._client.create_producer(topic, batching_enabled=False)
        for number in range(count):
            producer.send(b"message %d" % number)
        producer.close()

    def consume_exclusive(self) -> None:
        consumer = self._subscribe("exclusive", pulsar.ConsumerType.Exclusive)
        self._fill("exclusive")
        messages = [consumer.receive(TIMEOUT_MS) for _ in range(5)]
        consumer.acknowledge(messages[0])
        consumer.acknowledge_cumulative(messages[2])
        consumer.redeliver_unacknowledged_messages()
        consumer.acknowledge_cumulative(consumer.receive(TIMEOUT_MS))
        consumer.unsubscribe()

    def consume_shared(self) -> None:
        first = self._subscribe("shared", pulsar.ConsumerType.Shared, receiver_queue_size=2)
        second = self._subscribe("shared", pulsar.ConsumerType.Shared, receiver_queue_size=2)
        self._fill("shared")
        message = first.receive(TIMEOUT_MS)
        first.negative_acknowledge(message)
        first.close()
        for _ in range(5):
            second.acknowledge(second.receive(TIMEOUT_MS))
        second.close()

    def consume_batch_indexes(self) -> None:
        producer = self._client.create_producer(
            "indexes", batching_enabled=True, batching_max_publish_delay_ms=200
        )
        consumer = self._subscribe(
            "indexes", pulsar.ConsumerType.Shared, batch_index_ack_enabled=True
        )
        self._send_batch(producer, 6)
        messages = [consumer.receive(TIMEOUT_MS) for _ in range(6)]
        for message in messages[::2]:
            consumer.acknowledge(message)
        for message in messages[1::2]:
            consumer.negative_acknowledge(message)
        for _ in messages[1::2]:
            consumer.acknowledge(consumer.receive(TIMEOUT_MS))
        consumer.close()

    def consume_failover(self) -> None:
        first = self._subscribe("failover", pulsar.ConsumerType.Failover, consumer_name="a")
        second = self._subscribe("failover", pulsar.ConsumerType.Failover, consumer_name="b")
        self._fill("failover")
        second.acknowledge(second.receive(TIMEOUT_MS))  # the broker's choice between the two names
        second.close()
        first.acknowledge(first.receive(TIMEOUT_MS))
        first.close()

    def consume_key_shared(self) -> None:
        consumer = self._subscribe("keys", pulsar.ConsumerType.KeyShared)
        self._fill("keys")
        consumer.acknowledge(consumer.receive(TIMEOUT_MS))
        consumer.close()

    def read_and_seek(self) -> None:
        self._fill("read")
        reader = self._client.create_reader("read", pulsar.MessageId.earliest)
        while reader.has_message_available():
            message = reader.read_next(TIMEOUT_MS)
        reader.seek(message.message_id())
        reader.seek(message.publish_timestamp())
        reader.read_next(TIMEOUT_MS)
        reader.close()
        latest = self._client.create_reader("read", pulsar.MessageId.latest)
        latest.has_message_available()
        latest.close()

    def partitions_and_patterns(self) -> None:
        path = f"{self._web}/admin/v2/persistent/public/default/parts/partitions"
        body = urllib.request.Request(
            path, b"3", {"Content-Type": "application/json"}, method="PUT"
        )
        urllib.request.urlopen(body, timeout=10).close()
        self._client.get_topic_partitions("parts")
        producer = self._client.create_producer("parts", batching_enabled=False)
        consumer = self._subscribe("parts", pulsar.ConsumerType.Shared)
        for number in range(6):
            producer.send(b"message %d" % number)
            consumer.acknowledge(consumer.receive(TIMEOUT_MS))
        self._subscribe_pattern()

    def _subscribe_pattern(self) -> None:
        import re

        pattern = re.compile("persistent://public/default/part.*")
        consumer = self._subscribe(pattern, pulsar.ConsumerType.Shared)
        consumer.close()

    def schema(self) -> None:
        kind = JsonSchema(Person)
        consumer = self._subscribe("schema", pulsar.ConsumerType.Shared, schema=kind)
        producer = self._client.create_producer("schema", schema=kind)
        producer.send(Person(name="someone"))
        consumer.acknowledge(consumer.receive(TIMEOUT_MS))

    def errors(self) -> None:
        self._subscribe("busy", pulsar.ConsumerType.Exclusive)
        self._client.create_producer("busy", producer_name="only")
        for attempt in (
            lambda: self._subscribe("busy", pulsar.ConsumerType.Exclusive),
            lambda: self._client.create_producer("busy", producer_name="only"),
            lambda: self._client.create_producer("persistent://no/such/namespace"),
        ):
            try:
                attempt()
            except pulsar.PulsarException as error:
                print(f"  as it should: {error}")

    def transfer_and_pings(self) -> None:
        consumer = self._subscribe("moved", pulsar.ConsumerType.Shared)
        producer = self._client.create_producer("moved", batching_enabled=False)
        producer.send(b"before")
        path = f"{self._web}/admin/v2/persistent/public/default/moved/unload"
        urllib.request.urlopen(urllib.request.Request(path, method="PUT"), timeout=30).close()
        producer.send(b"after")
        consumer.receive(TIMEOUT_MS)
        threading.Event().wait(PINGS_S)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--broker", default="localhost:6650")
    parser.add_argument("--web", default="http://localhost:8080")
    parser.add_argument("--only", help="one scenario")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    host, _, port = options.broker.partition(":")
    recorder = Recorder((host, int(port)))
    scenarios = Scenarios(f"pulsar://localhost:{recorder.port}", options.web)
    names = [name for name in vars(Scenarios) if not name.startswith("_") and name != "run"]
    for name in names:
        if options.only in (None, name):
            scenarios.run(getattr(scenarios, name))
            rows = recorder.take()
            lines = [json.dumps(row, separators=(",", ":")) for row in rows]
            (options.out / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
            print(f"{name}: {len(rows)} frames")


if __name__ == "__main__":
    main()
