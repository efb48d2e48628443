"""`magnetar ledger recover`."""

import json

from tests.cli.bookie_threads import BookieThreads


def test_an_open_ledger_is_closed_and_that_is_said(bookies: BookieThreads) -> None:
    ledger = bookies.written(10, close=False)
    code, output = bookies.run("ledger", "recover", str(ledger))
    end = "at entry 9, 10 bytes"
    assert code == 0
    assert output == f"ledger {ledger} was OPEN: its writer is fenced; it is closed {end}\n"
    code, output = bookies.run("ledger", "recover", str(ledger))
    assert (code, output) == (0, f"ledger {ledger} was closed before, {end}\n")
    _, output = bookies.run("ledger", "recover", str(ledger), "-o", "json")
    assert json.loads(output) == {
        "ledger": ledger, "before": "CLOSED", "last_entry": 9, "bytes": 10
    }  # fmt: skip


def test_one_that_cannot_be_recovered_stays_as_it_is(bookies: BookieThreads) -> None:
    ledger = str(bookies.written(10, close=False))
    bookies.away = {0, 1}
    bookies.stop_services(0, 1)
    code, output = bookies.run("ledger", "recover", ledger)
    assert code == 1
    assert output.startswith("Error: NotEnoughBookies: ")
    _, output = bookies.run("ledger", "show", ledger, "-o", "json")
    assert json.loads(output)["state"] == "IN_RECOVERY"
    assert bookies.run("ledger", "recover", "99") == (1, "Error: NoSuchLedger: ledger 99\n")
