"""`magnetar ledger read`."""

import json

import pytest

from tests.cli.bookie_threads import BookieThreads


def test_all_entries(bookies: BookieThreads) -> None:
    ledger = str(bookies.written(250))
    code, output = bookies.run("ledger", "read", ledger)
    assert code == 0
    assert output.splitlines() == [f"entry {n}, {len(str(n))} bytes: {n}" for n in range(250)]


@pytest.mark.parametrize(("form", "payload"), [("text", "12"), ("hex", "3132"), ("base64", "MTI=")])
def test_a_range_in_each_form(bookies: BookieThreads, form: str, payload: str) -> None:
    ledger = str(bookies.written(20, write_quorum=2))
    range_ = ("-fe", "12", "-le", "13")
    code, output = bookies.run("ledger", "read", ledger, *range_, "--payload", form, "-o", "json")
    rows = [json.loads(line) for line in output.splitlines()]
    assert (code, [row["entry"] for row in rows]) == (0, [12, 13])
    assert rows[0] == {"entry": 12, "bytes": 2, "payload": payload}


def test_of_an_open_ledger_what_is_known_as_confirmed(bookies: BookieThreads) -> None:
    ledger = str(bookies.written(10, close=False))
    code, output = bookies.run("ledger", "read", ledger)
    assert code == 0
    assert 0 <= len(output.splitlines()) < 10  # the last ones are known when others follow
    _, output = bookies.run("ledger", "show", ledger, "-o", "json")
    assert json.loads(output)["state"] == "OPEN"


def test_from_one_bookie(bookies: BookieThreads) -> None:
    """What it should not have is left out; what it should have and has not is an error."""
    ledger_id = bookies.written(30, write_quorum=2)
    one = bookies.services[0]
    code, output = bookies.run("ledger", "read", str(ledger_id), "-b", one.bookie_id)
    assert (code, len(output.splitlines())) == (0, 20)
    bookies.in_loop(one.bookie.delete_ledgers([ledger_id]))
    command = ("ledger", "read", str(ledger_id), "-b", one.bookie_id)
    code, output = bookies.run(*command, "-o", "json")
    assert code == 1
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert {row["error"] for row in rows} == {"NO_LEDGER"}
    assert output.endswith(f"Error: bookie {one.bookie_id} did not give 20 entries\n")


def test_what_cannot_be_read(bookies: BookieThreads) -> None:
    assert bookies.run("ledger", "read", "99") == (1, "Error: NoSuchLedger: ledger 99\n")
    ledger_id = str(bookies.written(3))
    code, output = bookies.run("ledger", "read", ledger_id, "-b", "127.0.0.1:1")
    assert (code, output) == (1, "Error: bookie 127.0.0.1:1 cannot be reached\n")
    assert bookies.run("ledger", "read", ledger_id, "-fe", "7") == (0, "")
