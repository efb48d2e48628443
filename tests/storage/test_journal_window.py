"""Groups are found in a file wherever the steps end in which it is read."""

from pathlib import Path

import pytest
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.slices import Slices
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage import journal_window
from magnetar_storage.errors import JournalFormatError
from magnetar_storage.journal_files import JournalFile, JournalFiles
from magnetar_storage.journal_format import FILE_HEADER_BYTES, FileHeader, RecordKind, encode_group
from magnetar_storage.journal_window import JournalWindow

from tests.storage.support import InlineWorker

FILE_ID = 77


class Written:
    """A file with groups whose records have these sizes; `offsets` are where they begin."""

    def __init__(self, directory: Path, sizes: list[int]) -> None:
        files = JournalFiles(SystemDisk(), str(directory), 0)
        self.file: JournalFile = files.prepare(FileHeader(1, FILE_ID, 1 << 20))
        self.offsets: list[int] = []
        offset = FILE_HEADER_BYTES
        for sequence, size in enumerate(sizes, start=1):
            parts = encode_group(
                FILE_ID, sequence, bytes([RecordKind.ENTRY]), [b"h" * 32, bytes(size)]
            )
            self.file.file.write_at(offset, parts)
            self.offsets.append(offset)
            offset += sum(map(len, parts))
        self.window = JournalWindow(self.file, InlineWorker(), Slices(SystemClock()))


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_window, "_READ_BYTES", 8192)


@pytest.mark.usefixtures("small_steps")
async def test_groups_are_read_across_steps_and_larger_than_one(tmp_path: Path) -> None:
    written = Written(tmp_path, [100, 8000, 50_000, 1, 8192, 3])
    for sequence, offset in enumerate(written.offsets, start=1):
        group = await written.window.group_at(offset)
        assert group.sequence == sequence
    with pytest.raises(JournalFormatError):
        await written.window.group_at(written.offsets[-1] + 1)
    written.file.file.close()


@pytest.mark.usefixtures("small_steps")
async def test_the_next_whole_group_is_found_behind_one_that_is_not(tmp_path: Path) -> None:
    written = Written(tmp_path, [100, 20_000, 30_000, 5])
    for broken in (1, 2):
        written.file.file.write_at(written.offsets[broken] + 500, [b"\xff"])
    assert await written.window.next_group(written.offsets[0] + 1) == written.offsets[3]
    assert await written.window.next_group(written.offsets[3]) == written.offsets[3]
    assert await written.window.next_group(written.offsets[3] + 1) is None
    written.file.file.close()
