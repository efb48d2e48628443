"""`magnetar bookie list`."""

import json

from magnetar_cli.bookie_list import http_address

from tests.cli.bookie_threads import BookieThreads


def test_who_is_there_and_who_is_not(bookies: BookieThreads) -> None:
    bookies.read_only = {1}
    bookies.away = {2}
    code, output = bookies.run("bookie", "list", "-o", "json")
    rows = {row["bookie"]: row for row in json.loads(output)}
    one, two, three = bookies.services
    assert code == 0
    assert [rows[each.bookie_id]["state"] for each in (one, two, three)] == [
        "writable", "read-only", "away",
    ]  # fmt: skip
    row = rows[one.bookie_id]
    assert (row["address"], row["http"]) == (one.addresses[0], one.web_addresses[0])
    assert 0 < row["free"] <= row["total"]
    assert set(rows[three.bookie_id].values()) == {three.bookie_id, "away", None}


def test_a_table_of_some(bookies: BookieThreads) -> None:
    bookies.read_only = {1}
    code, output = bookies.run("bookie", "list", "-rw")
    lines = output.splitlines()
    assert code == 0
    assert lines[0].split("  ")[0] == "bookie"
    assert len(lines) == 3
    (line,) = bookies.run("bookie", "list", "-ro")[1].splitlines()[1:]
    assert line.split()[:3] == [
        bookies.services[1].bookie_id, "read-only", bookies.services[1].addresses[0],
    ]  # fmt: skip


def test_one_that_does_not_answer_has_no_room_to_show(bookies: BookieThreads) -> None:
    bookies.stop_services(0)
    _, output = bookies.run("bookie", "list")
    (row,) = [line for line in output.splitlines() if bookies.services[0].bookie_id in line]
    assert row.split()[-2:] == ["-", "-"]


def test_no_bookies() -> None:
    assert http_address(None) is None
