"""The client of the admin API: redirects, refusals, nobody there."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from magnetar_cli.admin_client import AdminClient
from magnetar_cli.exits import CommandFailedError, WrongSettingsError


class _Handler(BaseHTTPRequestHandler):
    asked: list[Any]

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, json.loads(body) if body else None))
        status, headers, text = {
            "/admin/v2/list": (200, {}, '["a"]'),
            "/admin/v2/text": (200, {}, "ok"),
            "/admin/v2/none": (204, {}, ""),
            "/admin/v2/moved": (307, {"Location": "/admin/v2/none"}, ""),
            "/admin/v2/circle": (307, {"Location": "/admin/v2/circle"}, ""),
        }.get(self.path, (404, {}, '{"reason": "Topic x not found"}'))
        self.send_response(status)
        host = f"http://127.0.0.1:{self.server.server_address[1]}"
        for key, value in headers.items():
            self.send_header(key, f"{host}{value}")
        if status != 204:
            self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_GET = do_PUT = do_POST = do_DELETE = _answer

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def served() -> Iterator[tuple[AdminClient, list[Any]]]:
    """A client of a server that says what it was asked."""
    asked: list[Any] = []
    handler = type("Handler", (_Handler,), {"asked": asked})
    server = HTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield AdminClient(f"http://127.0.0.1:{server.server_address[1]}/"), asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_answers(served: tuple[AdminClient, list[Any]]) -> None:
    client, asked = served
    assert client.ask("GET", "/list") == ["a"]
    assert client.ask("GET", "/text") == "ok"
    assert client.ask("PUT", "/none", {"a": 1}) is None
    assert asked[-1] == ("PUT", "/admin/v2/none", {"a": 1})


def test_a_change_goes_on_to_where_it_is_sent(served: tuple[AdminClient, list[Any]]) -> None:
    client, asked = served
    assert client.ask("POST", "/moved", 3) is None
    assert asked == [("POST", "/admin/v2/moved", 3), ("POST", "/admin/v2/none", 3)]
    with pytest.raises(CommandFailedError, match="circles"):
        client.ask("GET", "/circle")


def test_refusals(served: tuple[AdminClient, list[Any]]) -> None:
    with pytest.raises(CommandFailedError, match=r"Topic x not found \(HTTP 404\)"):
        served[0].ask("GET", "/x")


def test_nobody_there() -> None:
    with pytest.raises(CommandFailedError, match="is a broker running there"):
        AdminClient("http://127.0.0.1:1").ask("GET", "/x")
    with pytest.raises(WrongSettingsError):
        AdminClient("pulsar://h:1")
