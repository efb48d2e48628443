"""The collector leaves a start alone and watches what comes after it."""

import gc
from collections.abc import Iterator

import pytest
from magnetar_cli.collector import calm_collector, imports_for_good


@pytest.fixture(autouse=True)
def collector_as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_imports_are_not_interrupted_and_not_walked_again() -> None:
    gc.unfreeze()
    with imports_for_good():
        assert not gc.isenabled()
        kept: list[object] = [[]]
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0
    assert not any(each is kept for each in gc.get_objects())


def test_an_import_that_fails_leaves_the_collector_on() -> None:
    with pytest.raises(ImportError), imports_for_good():
        raise ImportError("no such module")
    assert gc.isenabled()


def test_what_a_start_leaves_is_collected_once_and_not_walked_again() -> None:
    kept: list[object] = [[]]
    calm_collector()
    assert not any(each is kept for each in gc.get_objects())
    assert gc.get_threshold()[0] >= 10_000
