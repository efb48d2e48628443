"""The drive must itself lose what it says: otherwise the power cuts would prove nothing."""

import errno
import random

import pytest

from tests.crash.drive import SECTOR_BYTES, Directory, Drive, File


def drive_with_file(path: str = "/a") -> tuple[Drive, File]:
    drive, file = Drive(), File()
    drive.add(path, file)
    return drive, file


def cut_losing_all(drive: Drive) -> None:
    drive.root.cut(random.Random(0), 0.0)


def test_what_was_synced_stays_and_nothing_else() -> None:
    drive, file = drive_with_file()
    drive.write(file, 0, b"synced")
    file.sync()
    drive.root.sync()
    drive.write(file, 0, b"unsync")
    drive.write(file, 6, b"more")
    drive.add("/b", File())
    assert file.content == b"unsyncmore"
    cut_losing_all(drive)
    assert file.content == b"synced"
    assert list(drive.root.names) == ["a"]


def test_a_synced_file_is_gone_without_its_name() -> None:
    drive, file = drive_with_file()
    drive.write(file, 0, b"synced")
    file.sync()
    cut_losing_all(drive)
    assert not drive.root.names


def test_a_name_alone_holds_nothing() -> None:
    drive, file = drive_with_file()
    drive.write(file, 0, b"unsynced")
    drive.root.sync()
    cut_losing_all(drive)
    assert drive.find("/a") is file
    assert file.content == b""


def test_renames_and_removals_come_back_until_their_directory_is_synced() -> None:
    drive, file = drive_with_file()
    gone = File()
    drive.add("/gone", gone)
    drive.root.sync()
    drive.rename("/a", "/b")
    drive.remove("/gone")
    assert list(drive.root.names) == ["b"]
    cut_losing_all(drive)
    assert drive.root.names == {"a": file, "gone": gone}
    drive.rename("/a", "/b")
    drive.root.sync()
    cut_losing_all(drive)
    assert drive.root.names == {"b": file, "gone": gone}


def test_a_directory_without_its_name_takes_all_in_it() -> None:
    drive = Drive()
    inner, file = Directory(), File()
    drive.add("/inner", inner)
    drive.add("/inner/a", file)
    drive.write(file, 0, b"synced")
    file.sync()
    inner.sync()
    cut_losing_all(drive)
    assert not drive.root.names


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_keeps_whole_sectors_of_what_was_not_synced(seed: int) -> None:
    drive, file = drive_with_file()
    drive.root.sync()
    drive.write(file, 0, b"o" * (4 * SECTOR_BYTES))
    file.sync()
    drive.write(file, 100, b"n" * (3 * SECTOR_BYTES))
    whole = bytes(file.content)
    drive.root.cut(random.Random(seed), 0.5)
    assert len(file.content) == 4 * SECTOR_BYTES
    for begin in range(0, len(whole), SECTOR_BYTES):
        sector = slice(begin, begin + SECTOR_BYTES)
        assert file.content[sector] in (whole[sector], b"o" * SECTOR_BYTES)
    assert file.content == file.durable


def test_cuts_of_several_seeds_differ() -> None:
    ends = set()
    for seed in range(40):
        drive, file = drive_with_file()
        drive.root.sync()
        drive.write(file, 0, b"n" * (8 * SECTOR_BYTES))
        drive.cut(random.Random(seed))
        ends.add(bytes(file.content))
        assert drive.used_bytes == len(file.content)
    assert len(ends) > 5


def test_a_failed_sync_loses_for_good() -> None:
    drive, file = drive_with_file()
    drive.root.sync()
    drive.write(file, 0, b"lost")
    file.lose()
    drive.write(file, 4, b"kept")
    file.sync()
    assert file.content == b"lostkept"
    cut_losing_all(drive)
    assert file.content == b"\0\0\0\0kept"


def test_a_full_drive_takes_nothing_until_there_is_room() -> None:
    drive, file = drive_with_file()
    drive.capacity_bytes = 10
    drive.resize(file, 8)
    with pytest.raises(OSError, match="No space") as caught:
        drive.write(file, 6, b"12345")
    assert caught.value.errno == errno.ENOSPC
    assert file.content == bytes(8)
    drive.write(file, 0, b"12345678")
    drive.remove("/a")
    assert drive.used_bytes == 0


def test_what_is_not_there() -> None:
    drive, _ = drive_with_file()
    with pytest.raises(FileNotFoundError):
        drive.find("/b")
    with pytest.raises(NotADirectoryError):
        drive.add("/a/b", File())
