"""Few reads at once where entries are large, many where they are small."""

from magnetar_storage.service.read_window import ReadWindow


def begin_all(window: ReadWindow) -> int:
    before = window.in_work
    while window.in_work < window.most:
        window.in_work += 1
    return window.in_work - before


def end_all(window: ReadWindow, given_bytes: int) -> None:
    while window.in_work:
        window.end(given_bytes)


def test_it_begins_with_few_and_widens_for_small_entries() -> None:
    window = ReadWindow(32, 4 << 20)
    counts = []
    for _ in range(10):
        counts.append(begin_all(window))
        end_all(window, 100)
    assert counts[0] == 4
    assert counts == sorted(counts)
    assert counts[-1] == 32


def test_large_entries_come_one_by_one() -> None:
    window = ReadWindow(32, 4 << 20)
    begin_all(window)
    end_all(window, 5 << 20)
    assert begin_all(window) == 1
    end_all(window, 1 << 20)
    for _ in range(40):
        begin_all(window)
        end_all(window, 1000)
    assert begin_all(window) == 32


def test_the_bytes_are_what_counts() -> None:
    window = ReadWindow(32, 4 << 20)
    for _ in range(40):
        begin_all(window)
        end_all(window, 256 << 10)
    assert begin_all(window) == 16
