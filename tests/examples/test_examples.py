"""Each example as a program of its own, on one broker; the replicated log has a test in interop."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from magnetar.testing import Broker

from bench.ports import free_port

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TIMEOUT_S = 90

SAYS = {
    "work_queue": [
        "job 7 failed, attempt 3",
        "job 3 failed, attempt 1",
        "done: job 0, job 1, job 2, job 3, job 4, job 5, job 6, job 8, job 9",
        "dead: job 7",
    ],
    "ordered_by_key": [f"{name}: 50 events, in order: True, by {{" for name in ("anna", "fritz")],
    "change_stream": [
        "prices: [('apples', '1.35'), ('pears', '2.00'), ('plums', '0.90')]",
        "without pears: ['apples', 'plums']",
        "history: apples=1.20, pears=2.00, apples=1.35, plums=0.90, pears=gone",
    ],
    "request_reply": ["HELLO 0, HELLO 1, HELLO 2, HELLO 3, HELLO 4"],
    "from_official_client": ["s1 20 cellar", "nothing more", "ids are equal: True"],
}


def run(name: str, *arguments: str) -> str:
    program = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments]
    done = subprocess.run(program, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("name", SAYS)
def test_an_example_says_what_it_promises(name: str, magnetar_broker: Broker) -> None:
    output = run(name, magnetar_broker.service_url)
    for text in SAYS[name]:
        assert text in output


def test_http_only(magnetar_broker: Broker) -> None:
    output = run("http_only", magnetar_broker.web_url)
    assert output == "stored: 3\nreceived: message 0, message 1, message 2\n"


def test_web_service(magnetar_broker: Broker) -> None:
    port = free_port()
    program = [sys.executable, str(EXAMPLES / "web_service.py"), magnetar_broker.service_url]
    with subprocess.Popen([*program, str(port)]) as service:
        try:
            url = f"http://127.0.0.1:{port}/orders"
            body = json.dumps({"item": "book", "count": 2}).encode()
            status, answer = patiently(url, body)
            assert status == 201
            assert answer["id"]
            assert patiently(f"{url}/next", None) == (200, {"item": "book", "count": 2})
        finally:
            service.terminate()
    assert service.returncode == 0 or service.returncode == -15


def patiently(url: str, body: bytes | None) -> tuple[int, dict[str, object]]:
    """The answer of a service that may still be starting."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    deadline_s = time.monotonic() + TIMEOUT_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                return answer.status, json.load(answer)
        except (urllib.error.URLError, ConnectionError) as error:
            if isinstance(error, urllib.error.HTTPError) or time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
