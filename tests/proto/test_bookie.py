"""The contract suite itself: it passes a right bookie, and each planted bug fails a test of it."""

from collections.abc import Callable
from typing import Any

import pytest
from magnetar_proto.bookie import Status

from tests.proto.bookie_contract import BookieContract
from tests.proto.memory_bookie import Ledger, MemoryBookie, MemoryHarness


class TestMemoryBookie(BookieContract):
    @pytest.fixture
    def harness(self) -> MemoryHarness:
        return MemoryHarness()


class EndsInsideTheCall(MemoryBookie):
    def later(self, call: Callable[[], Any]) -> None:
        call()


class EndsTwice(MemoryBookie):
    def later(self, call: Callable[[], Any]) -> None:
        super().later(call)
        super().later(call)


class LosesOrder(MemoryBookie):
    def later(self, call: Callable[[], Any]) -> None:
        self._later.insert(0, call)


class ForgetsFences(MemoryBookie):
    def __init__(self, ledgers: dict[int, Ledger], flood_bytes: int) -> None:
        super().__init__(ledgers, flood_bytes)
        for ledger in ledgers.values():
            ledger.fenced = False


class FencesOnlyWhatItKnows(MemoryBookie):
    def fence(self, ledger_id: int, master_key: bytes) -> Status:
        if ledger_id not in self.ledgers:
            return Status.NO_ENTRY
        return super().fence(ledger_id, master_key)


class FencesRecoveryToo(MemoryBookie):
    def add_status(self, ledger: Ledger, master_key: bytes, flags: int) -> Status:
        return super().add_status(ledger, master_key, 0)


class TrustsEveryKey(MemoryBookie):
    def add_status(self, ledger: Ledger, master_key: bytes, flags: int) -> Status:
        return super().add_status(ledger, ledger.master_key, flags)


class SkipsHoles(MemoryBookie):
    def run_of(
        self, kept: dict[int, bytes], first: int, max_entries: int, max_bytes: int
    ) -> list[bytes]:
        if first not in kept:
            return []
        ids = sorted(entry_id for entry_id in kept if entry_id >= first)
        return [kept[entry_id] for entry_id in ids[:max_entries]]


class GivesNothingOverTheLimit(MemoryBookie):
    def run_of(
        self, kept: dict[int, bytes], first: int, max_entries: int, max_bytes: int
    ) -> list[bytes]:
        entries = super().run_of(kept, first, max_entries, max_bytes)
        return [entry for entry in entries if len(entry) <= max_bytes]


class AlwaysWritable(MemoryBookie):
    @property
    def writable(self) -> bool:
        return True


class NeverCallsBack(MemoryBookie):
    def when_writable(self, callback: Callable[[], None]) -> None:
        pass


PLANTED = [
    (EndsInsideTheCall, "test_add_never_ends_inside_the_call"),
    (EndsInsideTheCall, "test_read_never_ends_inside_the_call"),
    (EndsTwice, "test_every_add_ends_once_and_in_order"),
    (EndsTwice, "test_every_read_ends_once"),
    (LosesOrder, "test_every_add_ends_once_and_in_order"),
    (ForgetsFences, "test_a_fence_outlives_a_restart"),
    (FencesOnlyWhatItKnows, "test_a_fence_of_an_unknown_ledger_holds"),
    (FencesRecoveryToo, "test_recovery_adds_pass_a_fence"),
    (TrustsEveryKey, "test_the_first_key_is_the_ledgers_key"),
    (SkipsHoles, "test_read_stops_at_the_first_missing_entry"),
    (GivesNothingOverTheLimit, "test_read_keeps_to_its_bytes_but_gives_one"),
    (AlwaysWritable, "test_a_flood_ends_writable_and_settling_brings_it_back"),
    (NeverCallsBack, "test_when_writable_is_called_soon_if_it_is"),
]


@pytest.mark.parametrize(("bug", "test"), PLANTED)
async def test_a_planted_bug_is_found(bug: type[MemoryBookie], test: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        await getattr(BookieContract(), test)(MemoryHarness(bug))
