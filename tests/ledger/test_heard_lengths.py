from magnetar_ledger.heard_lengths import HeardLengths


def test_an_empty_ledger_is_known_to_have_nothing() -> None:
    heard = HeardLengths()
    assert heard.at(-1) == (0, True)
    heard.note(0, 200, 100)  # its writer sent entry 1 first
    assert heard.at(-1) == (0, True)


def test_an_entry_tells_the_length_with_it_and_without_it() -> None:
    heard = HeardLengths()
    heard.note(5, 600, 70)
    assert heard.at(5) == (600, True)
    assert heard.at(4) == (530, True)


def test_the_first_entry_behind_is_the_best_guess() -> None:
    heard = HeardLengths()
    heard.note(9, 1_000, 100)
    heard.note(7, 800, 100)
    heard.note(2, 300, 100)
    assert heard.at(5) == (700, False)


def test_else_the_last_entry_before() -> None:
    heard = HeardLengths()
    heard.note(1, 200, 100)
    heard.note(2, 300, 100)
    assert heard.at(5) == (300, False)


def test_nothing_heard_is_no_length() -> None:
    assert HeardLengths().at(5) == (0, False)
