"""Data directories of every format that was ever landed still open."""

import shutil
from pathlib import Path

import pytest
from magnetar_proto.bookie import LAST_ENTRY, Status

from tests.proto.bookie_contract import LEDGER, entry_of
from tests.storage.golden import (
    FENCED_LEDGER,
    FLUSHED,
    FLUSHED_LAC,
    JOURNAL_LAC,
    JOURNAL_NAMES,
    JOURNAL_ONLY,
    LEDGER_NAMES,
    RE_ADDED,
    RE_ADDED_SIZE,
    UNKNOWN_LEDGER,
    lac_body,
)
from tests.storage.support import Box

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize(
    ("name", "directories"), [("bookie-1", 1), ("bookie-2", 2), ("bookie-3", 2), ("bookie-4", 2)]
)
async def test_a_directory_of_this_format_opens(
    name: str, directories: int, tmp_path: Path
) -> None:
    shutil.copytree(GOLDEN / name, tmp_path, dirs_exist_ok=True)
    box = Box(tmp_path)
    box.ledger_names = LEDGER_NAMES[:directories]
    box.journal_names = JOURNAL_NAMES[:directories]
    await box.open()
    assert not box.bookie.uncertain
    assert box.bookie.counters.replayed_entries == len(JOURNAL_ONLY) + 2
    sizes = dict.fromkeys(RE_ADDED, RE_ADDED_SIZE)
    expected = [entry_of(e, sizes.get(e, 20)) for e in (*FLUSHED, *JOURNAL_ONLY)]
    assert (await box.read(0))[2] == expected
    assert (await box.read(LAST_ENTRY, ledger_id=FENCED_LEDGER))[1] == 2
    assert await box.add([3], ledger_id=FENCED_LEDGER) == {3: Status.FENCED}
    assert (await box.read(1, ledger_id=FENCED_LEDGER))[0] is Status.NO_ENTRY
    assert (await box.read(0, ledger_id=UNKNOWN_LEDGER))[0] is Status.NO_LEDGER
    lacs = {LEDGER: JOURNAL_LAC, FENCED_LEDGER: FLUSHED_LAC} if name >= "bookie-3" else {}
    await box.reopen()
    assert (await box.read(0))[2] == expected
    for ledger_id in (LEDGER, FENCED_LEDGER):
        body = lac_body(ledger_id, lacs[ledger_id]) if lacs else b""
        assert box.bookie.explicit_lac(ledger_id) == body
    await box.bookie.close()
