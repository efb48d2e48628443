"""`magnetar ledger verify`."""

import json

from tests.cli.bookie_threads import BookieThreads


def test_a_whole_ledger(bookies: BookieThreads) -> None:
    ledger = bookies.written(150, write_quorum=2)
    code, output = bookies.run("ledger", "verify", str(ledger))
    assert (code, output) == (0, f"ledger {ledger}: 150 entries, 300 copies\n")


def test_what_a_bookie_lacks_is_in_a_table(bookies: BookieThreads) -> None:
    ledger = bookies.written(150)
    one = bookies.services[1]
    bookies.in_loop(one.bookie.delete_ledgers([ledger]))
    code, output = bookies.run("ledger", "verify", str(ledger))
    assert code == 1
    lines = output.splitlines()
    assert lines[0] == f"ledger {ledger}: 150 entries, 450 copies"
    assert lines[1].split() == ["bookie", "entries", "what"]
    assert lines[2].split() == [one.bookie_id, "0-149", "missing"]
    assert lines[3:] == [f"Error: ledger {ledger}: 150 of 450 copies are bad"]
    code, output = bookies.run("ledger", "verify", str(ledger), "-o", "json")
    assert code == 1
    assert json.loads(output.splitlines()[0]) == {
        "ledger": ledger,
        "entries": 150,
        "copies": 450,
        "lost": [],
        "faults": [
            {"bookie": one.bookie_id, "first_entry": 0, "last_entry": 149, "fault": "missing"}
        ],
    }


def test_entries_without_a_good_copy_are_named(bookies: BookieThreads) -> None:
    ledger = bookies.written(30)
    for service in bookies.services:
        bookies.in_loop(service.bookie.delete_ledgers([ledger]))
    code, output = bookies.run("ledger", "verify", str(ledger))
    assert code == 1
    assert "30 entries have no good copy: 0 1 2 3 " in output
    assert " 19 ...\n" in output
