"""A healthy writer on a bookie: adds at a fixed rate, each with the moment it should be sent at.

A process of its own: `python -m tests.hostile.bookie_paced JSON` prints its figures as JSON.
"""

import select
import socket
import time
from typing import Any, Final

from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper.requests import AddRequest
from magnetar_proto.bookkeeper.responses import AddResponse
from magnetar_proto.bookkeeper.stream import ResponseStream, encode_request

from bench.errors import MeasurementError
from bench.latency import LatencyHistogram
from bench.workers import worker_main
from tests.hostile.bookie_peer import HOST, KEY, MAX_FRAME_BYTES, header_of

DRAIN_TIMEOUT_S: Final = 60.0


def run(
    port: int, version: int, ledger_id: int, payload_bytes: int, rate: float, entries: int
) -> dict[str, Any]:
    """Sends entry i at i / `rate` seconds; its latency counts from then, late or not."""
    peer = socket.create_connection((HOST, port))
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = ResponseStream(MAX_FRAME_BYTES)
    payload = bytes(4 + payload_bytes)
    latencies = LatencyHistogram()
    sent = received = 0
    began_s = time.monotonic()
    deadline_s = began_s + entries / rate + DRAIN_TIMEOUT_S
    while received < entries:
        now_s = time.monotonic()
        if now_s > deadline_s:
            raise MeasurementError(f"{received} receipts for {entries} entries")
        parts: list[bytes] = []
        due = min(entries, int((now_s - began_s) * rate) + 1)
        for number in range(sent, due):
            header = header_of(ledger_id, number)
            request = AddRequest(version, number, 0, ledger_id, number, KEY, header, payload)
            encode_request(request, parts)
        sent = due
        peer.sendall(b"".join(parts))
        wait_s = 1.0 if due == entries else began_s + due / rate - time.monotonic()
        if select.select([peer], [], [], max(0.0, wait_s))[0]:
            responses = stream.feed(peer.recv(1 << 16))
            now_s = time.monotonic()
            for response in responses:
                if not isinstance(response, AddResponse) or response.status is not Status.OK:
                    raise MeasurementError(f"an add was answered with {response}")
                latencies.add(now_s - (began_s + response.entry_id / rate))
            received += len(responses)
    peer.close()
    return {"entries": entries, **latencies.figures("receipt")}


if __name__ == "__main__":
    worker_main(run)
