"""The proxy in its thread, used without a loop."""

import contextlib
import socket
import threading

from magnetar.testing import ChaosThread, Fault, Step


def test_calls_from_outside_take_effect() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    with server, ChaosThread("127.0.0.1", server.getsockname()[1]) as proxy:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
            served, _ = server.accept()
            with served:
                served.settimeout(10)
                client.sendall(b"ping")
                assert served.recv(100) == b"ping"
                proxy.run([Step(0, Fault.CUT, 0)])
                with contextlib.suppress(ConnectionResetError):
                    assert client.recv(1) == b""
        assert proxy.accepted == 1
        assert proxy.service_url == f"pulsar://127.0.0.1:{proxy.port}"
    assert not [thread for thread in threading.enumerate() if thread.name == "chaos"]
