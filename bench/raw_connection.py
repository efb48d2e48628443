"""A plain socket to a broker: handshake, producer and consumer set-up, then raw bytes."""

import socket
import struct
import time
from collections.abc import Callable
from typing import Final

from bench import wire
from bench.errors import WireError
from bench.scanner import Run, scan

HOST: Final = "127.0.0.1"
RECEIVE_BYTES: Final = 1 << 20
SETUP_TIMEOUT_S: Final = 60.0
RETRY_INTERVAL_S: Final = 0.05


class RawConnection:
    """One connection with at most one producer and one consumer, both with id 0."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=SETUP_TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(RECEIVE_BYTES)
        self._view = memoryview(self.buffer)
        self._filled = 0
        self._parsed = 0
        self._request_id = 0
        self.request(wire.connect(), wire.CONNECTED)

    def open_producer(self, topic: str) -> None:
        """Looks the topic up and opens producer 0 on it."""
        self._retried(topic, lambda id_: wire.producer(topic, 0, id_), wire.PRODUCER_SUCCESS)

    def open_consumer(self, topic: str, subscription: str) -> None:
        """Looks the topic up and opens exclusive consumer 0, without permits yet."""
        self._retried(topic, lambda id_: wire.subscribe(topic, subscription, 0, id_), wire.SUCCESS)

    def request(self, frame: bytes, expected: int) -> dict[int, wire.Value]:
        """Sends a command and waits for its answer; an ERROR is raised as WireError."""
        self.socket.sendall(frame)
        while True:
            kind, fields = wire.parse_command(self.read_frame())
            if kind == expected:
                return fields
            if kind == wire.PING:
                self.socket.sendall(wire.PONG_FRAME)
            else:
                raise WireError(f"command {kind} instead of {expected}: {fields}")

    def read_frame(self) -> bytes:
        """The next whole frame, waiting for it."""
        (size,) = struct.unpack(">I", self._read_exactly(4))
        return struct.pack(">I", size) + self._read_exactly(size)

    def receive(self) -> list[Run]:
        """One recv; returns the runs of whole frames in `buffer`, valid until `consume`."""
        if self._filled == len(self.buffer):
            raise WireError("a frame larger than the receive buffer")
        count = self.socket.recv_into(self._view[self._filled :])
        if count == 0:
            raise WireError("the server closed the connection")
        self._filled += count
        runs, self._parsed = scan(self.buffer, self._filled)
        return runs

    def consume(self) -> None:
        """Drops the frames that the last `receive` returned."""
        rest = self._filled - self._parsed
        self.buffer[:rest] = self.buffer[self._parsed : self._filled]
        self._filled = rest

    def frame_at(self, start: int, frame_bytes: int) -> bytes:
        """A copy of one frame of the buffer."""
        return bytes(self._view[start : start + frame_bytes])

    def close(self) -> None:
        """Closes the socket, which ends producer and consumer."""
        self.socket.close()

    def _read_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            if not more:
                raise WireError("the server closed the connection")
            data += more
        return data

    def _retried(self, topic: str, make: Callable[[int], bytes], expected: int) -> None:
        # A broker that has just started answers "not ready, look up again" for a while.
        deadline_s = time.monotonic() + SETUP_TIMEOUT_S
        while True:
            try:
                self._request_id += 2
                self.request(wire.lookup(topic, self._request_id), wire.LOOKUP_RESPONSE)
                self.request(make(self._request_id + 1), expected)
            except WireError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(RETRY_INTERVAL_S)
            else:
                return
