"""Files that look like ours but are not."""

import logging
from pathlib import Path

import pytest
from magnetar_storage.numbered_files import file_name, numbers_of, warn_of_others

from tests.proto.bookie_contract import entry_of
from tests.storage.support import Box

STRAYS = ["copy.journal", "1.journal", "000000000000000G.journal", "00000000000000001.journal"]


def test_only_whole_names_are_ours() -> None:
    names = [file_name(0x1F, ".journal"), file_name(7, ".spare"), *STRAYS, "BOOKIE"]
    assert numbers_of(names, ".journal") == [0x1F]
    assert numbers_of(names, ".spare") == [7]


def test_others_with_the_suffix_are_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    warn_of_others("d", [file_name(1, ".journal"), "BOOKIE", *STRAYS], ".journal")
    assert [record.message.partition(" ")[0] for record in caplog.records] == [
        f"d/{name}" for name in STRAYS
    ]


async def test_a_copy_of_a_file_is_passed_over_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It was a traceback."""
    box = Box(tmp_path, journal_spare_files=2)
    await box.open()
    await box.add(range(10))
    await box.bookie.flush()
    await box.add(range(10, 20))
    await box.crash()
    strays = [
        *(tmp_path / "journal" / name for name in ("copy.journal", "copy.spare")),
        tmp_path / "ledgers" / "entries" / "copy.log",
    ]
    for path in strays:
        path.write_text("somebody's")
    await box.open()
    for name in ("copy.journal", "copy.log"):
        assert caplog.text.count(f"{name} is no file of this bookie") == 1
    assert (await box.read(0))[2] == [entry_of(entry_id) for entry_id in range(20)]
    for first in range(20, 2020, 100):
        await box.add(range(first, first + 100), size=200)
    await box.bookie.flush()
    await box.settle()
    await box.bookie.close()
    assert [path.read_text() for path in strays] == ["somebody's"] * 3
