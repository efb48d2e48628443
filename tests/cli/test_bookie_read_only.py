"""`magnetar bookie read-only`, over the HTTP of a real service."""

import json
from dataclasses import replace

import pytest

from tests.cli import bookie_threads
from tests.cli.bookie_threads import BookieThreads


def test_on_and_off_again(bookies: BookieThreads) -> None:
    one = bookies.services[0]
    for what, read_only in (("show", False), ("on", True), ("show", True), ("off", False)):
        code, output = bookies.run("bookie", "read-only", what, one.bookie_id)
        state = "read-only" if read_only else "writable"
        # Behind what the service itself logs, which is in this process.
        assert (code, output.splitlines()[-1]) == (0, f"bookie {one.bookie_id} is {state}")
        assert one.bookie.read_only == read_only
    _, output = bookies.run("bookie", "read-only", "show", one.bookie_id, "-o", "json")
    assert json.loads(output) == {"bookie": one.bookie_id, "readOnly": False}


def test_what_cannot_be_asked(bookies: BookieThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    one = bookies.services[0]
    code, output = bookies.run("bookie", "read-only", "on", "nobody")
    assert (code, output) == (1, "Error: no bookie nobody is registered\n")
    full = bookie_threads._info
    with monkeypatch.context() as patch:
        patch.setattr(
            bookie_threads,
            "_info",
            lambda service: replace(full(service), endpoints=full(service).endpoints[:1]),
        )
        code, output = bookies.run("bookie", "read-only", "on", one.bookie_id)
    assert (code, "serves no HTTP: set httpServerEnabled=true" in output) == (1, True)
    bookies.stop_services(0)
    code, output = bookies.run("bookie", "read-only", "on", one.bookie_id)
    assert (code, output.startswith(f"Error: HTTP of bookie {one.bookie_id} fails")) == (1, True)
    assert bookies.run("bookie", "read-only", "up", one.bookie_id)[0] == 2
