"""Pages in a real browser, headless Chromium: what foreign ones try, and what allowed ones may.

Skipped where there is no Chromium ($CHROMIUM, or `chromium` on the path); the same requests without
a browser are in `tests/runtime/test_http_doors.py`.
"""

import http.server
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from bench.ports import free_port
from bench.servers import Magnetar, get

CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium: the browser's part is untested"
)

TIMEOUT_S: Final = 60
TOPIC: Final = "persistent/public/default/browser"
_PAGE: Final = """<!doctype html><body><script>
const base = location.hash.slice(1), found = {};
const late = () => new Promise(done => setTimeout(done, 20000, "nothing"));
const write = () => fetch(base + "/topics/TOPIC", {method: "POST", body: "from a page"})
  .then(answer => "status " + answer.status, () => "blocked");
const blind = () => fetch(base + "/topics/TOPIC", {method: "POST", body: "blind", mode: "no-cors"})
  .then(() => "sent", () => "blocked");
const socket = () => new Promise(done => {
  const socket = new WebSocket(base.replace("http", "ws") + "/ws/v2/producer/TOPIC");
  socket.onopen = () => socket.send('{"payload": "aGk="}');
  socket.onmessage = (event) => done(JSON.parse(event.data).result);
  socket.onerror = () => done("refused");
});
const events = () => new Promise(done => {
  const source = new EventSource(base + "/topics/TOPIC/events?messageId=earliest");
  source.onmessage = (event) => done(JSON.parse(event.data).payload);
  source.onerror = () => done("refused");
});
(async () => {
  for (const each of [write, blind, socket, events])
    found[each.name] = await Promise.race([each(), late()]);
  fetch("/found", {method: "POST", body: JSON.stringify(found)});
})();
</script></body>""".replace("TOPIC", TOPIC)


_found: queue.Queue[dict[str, str]] = queue.Queue()


class _Pages(http.server.BaseHTTPRequestHandler):
    """The page, and what it found out."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(_PAGE.encode())

    def do_POST(self) -> None:
        _found.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _serve(port: int) -> http.server.ThreadingHTTPServer:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Magnetar, int, int]]:
    """A broker, and the ports of an allowed page and of a foreign one."""
    allowed, foreign = free_port(), free_port()
    settings = {"httpAllowedOrigins": f"http://127.0.0.1:{allowed}"}
    broker = Magnetar(tmp_path_factory.mktemp("pages"), settings)
    broker.start()
    servers = [_serve(allowed), _serve(foreign)]
    yield broker, allowed, foreign
    for server in servers:
        server.shutdown()
        server.server_close()
    broker.stop()


def _browser(url: str, directory: Path, *options: str) -> subprocess.Popen[str]:
    assert CHROMIUM is not None
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        f"--user-data-dir={directory}",
        "--host-resolver-rules=MAP evil.example 127.0.0.1",
        *options,
        url,
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def _tried(page: int, broker: Magnetar, directory: Path) -> dict[str, str]:
    """What a page could do."""
    url = f"http://127.0.0.1:{page}/#http://localhost:{broker.web_port}"
    browser = _browser(url, directory)
    try:
        return _found.get(timeout=TIMEOUT_S)
    finally:
        browser.terminate()
        browser.communicate()


def test_a_foreign_page_changes_nothing_and_reads_nothing(
    world: tuple[Magnetar, int, int], tmp_path: Path
) -> None:
    broker, _, foreign = world
    found = _tried(foreign, broker, tmp_path)
    assert found == {
        "write": "blocked",
        "blind": "sent",
        "socket": "refused",
        "events": "refused",
    }
    # What was sent blindly was refused: there is no such topic.
    status, names = get(broker.web_port, "/admin/v2/persistent/public/default")
    assert (status, json.loads(names)) == (200, [])


def test_a_page_whose_name_is_rebound_is_refused(
    world: tuple[Magnetar, int, int], tmp_path: Path
) -> None:
    broker, _, _ = world
    url = f"http://evil.example:{broker.web_port}/health"
    shown, _ = _browser(url, tmp_path, "--dump-dom").communicate(timeout=TIMEOUT_S)
    assert "the Host header does not name this machine" in shown


def test_an_allowed_page_produces_and_reads(
    world: tuple[Magnetar, int, int], tmp_path: Path
) -> None:
    broker, allowed, _ = world
    found = _tried(allowed, broker, tmp_path)
    assert found == {
        "write": "status 200",
        "blind": "sent",
        "socket": "ok",
        "events": "from a page",
    }
