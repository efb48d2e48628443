"""The recorder relays what it is given, byte for byte, and keeps its frames."""

import socket

import pytest

pytest.importorskip("pulsar", reason="the recorder drives the official client")
pytestmark = pytest.mark.official


def test_frames_pass_both_ways_and_are_kept() -> None:
    from tools.record_frames import Recorder

    frame, answer = b"\x00\x00\x00\x05first", b"\x00\x00\x00\x06second"
    with socket.create_server(("127.0.0.1", 0)) as broker:
        recorder = Recorder(broker.getsockname())
        with socket.create_connection(("127.0.0.1", recorder.port)) as client:
            inside, _ = broker.accept()
            with inside:
                client.sendall(frame * 2 + frame[:3])
                assert read(inside, 21) == frame * 2 + frame[:3]
                inside.sendall(answer)
                assert read(client, len(answer)) == answer
    rows = recorder.take()
    assert [(row["from"], bytes.fromhex(row["frame"])) for row in rows] == [
        ("client", frame),
        ("client", frame),
        ("broker", answer),
    ]
    assert recorder.take() == []


def read(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += source.recv(count - len(data))
    return data
