"""The highest last add confirmed of each ledger."""

from magnetar_storage.service.lac_table import LacTable, lac_of

from tests.storage.service.peer import entry


def test_a_lac_only_rises() -> None:
    table = LacTable(10)
    assert table.get(1) is None
    assert table.learn(1, -1)
    assert table.get(1) == -1
    assert table.learn(1, 5)
    assert not table.learn(1, 5)
    assert not table.learn(1, 3)
    assert table.get(1) == 5


def test_what_does_not_fit_is_forgotten() -> None:
    table = LacTable(2)
    for ledger_id in (1, 2, 3):
        table.learn(ledger_id, 0)
    assert len(table) == 2
    assert (table.get(1), table.get(3)) == (None, 0)


def test_an_entry_tells_its_lac() -> None:
    assert lac_of(entry(7, lac=-1)) == -1
    assert lac_of(entry(7, lac=2**40)) == 2**40
