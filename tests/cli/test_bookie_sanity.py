"""`magnetar bookie sanity`."""

import json

from tests.cli.bookie_threads import BookieThreads


def test_each_that_takes_entries(bookies: BookieThreads) -> None:
    bookies.read_only = {2}
    code, output = bookies.run("bookie", "sanity", "-e", "5", "-o", "json")
    rows = json.loads(output)
    assert code == 0
    assert {row["bookie"] for row in rows} == {each.bookie_id for each in bookies.services[:2]}
    assert {(row["result"], row["entries"]) for row in rows} == {("ok", 5)}
    for service, row in ((each, row) for each in bookies.services for row in rows):
        kept = row["ledger"] in service.bookie.ledger_ids
        assert kept == (service.bookie_id == row["bookie"])  # on this one alone
    assert bookies.run("ledger", "list", "-o", "json") == (0, "[]\n")


def test_one_by_its_id(bookies: BookieThreads) -> None:
    one = bookies.services[1]
    code, output = bookies.run("bookie", "sanity", one.bookie_id)
    assert code == 0
    assert output.splitlines()[1].split()[:2] == [one.bookie_id, "ok"]
    assert len(output.splitlines()) == 2


def test_one_that_fails_ends_with_1_and_leaves_nothing(bookies: BookieThreads) -> None:
    bookies.stop_services(0)
    bad = bookies.services[0].bookie_id
    code, output = bookies.run("bookie", "sanity", "-t", "5")
    assert code == 1
    assert output.endswith(f"Error: 1 of 3 bookies failed: {bad}\n")
    assert bookies.run("ledger", "list", "-o", "json") == (0, "[]\n")
    bookies.away = {0, 1, 2}
    assert bookies.run("bookie", "sanity") == (1, "Error: no bookie takes entries\n")
