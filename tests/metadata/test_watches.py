"""Hints are merged, and an ended watch gets none."""

from magnetar_metadata.watches import WatchTable


def test_hints_of_one_path_are_merged() -> None:
    table, hints = WatchTable(), list[str]()
    table.watch("/a", hints.append)
    assert table.touched(["/b", "/a"])
    assert not table.touched(["/a"])  # they wait already
    table.give_hints()
    assert hints == ["/a"]
    table.give_hints()
    assert hints == ["/a"]


def test_nothing_waits_without_a_watch() -> None:
    assert not WatchTable().touched(["/a"])


def test_a_watch_ended_by_another_hint_gets_none() -> None:
    table, hints = WatchTable(), list[str]()

    def end_other(path: str) -> None:
        hints.append(path)
        end()

    table.watch("/a", end_other)
    end = table.watch("/a", lambda path: hints.append("never"))
    table.touched(["/a"])
    table.give_hints()
    assert hints == ["/a"]


def test_a_change_within_a_hint_is_a_hint_of_its_own() -> None:
    table, hints = WatchTable(), list[str]()

    def change_again(path: str) -> None:
        hints.append(path)
        if len(hints) == 1:
            assert table.touched(["/a"])

    table.watch("/a", change_again)
    table.touched(["/a"])
    table.give_hints()
    assert hints == ["/a"]
    table.give_hints()
    assert hints == ["/a", "/a"]


def test_the_watched_paths_are_known() -> None:
    table = WatchTable()
    end = table.watch("/a", lambda _: None)
    table.watch("/b", lambda _: None)
    assert (table.paths(), table.is_watched("/a")) == (["/a", "/b"], True)
    end()
    assert (table.paths(), table.is_watched("/a")) == (["/b"], False)
