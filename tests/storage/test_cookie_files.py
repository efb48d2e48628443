"""Cookies in directories, and which of them let a bookie start."""

from dataclasses import replace
from pathlib import Path

import pytest
from magnetar_metadata.cookies import Cookie
from magnetar_runtime.system_disk import SystemDisk
from magnetar_storage.config import BookieConfig
from magnetar_storage.cookie_files import (
    Labels,
    check_cookies,
    read_cookies,
    read_labels,
    write_cookies,
)
from magnetar_storage.directories import Label, write_label
from magnetar_storage.errors import DirectoryError

MINE = Cookie("one", ("/j",), ("/a", "/b"), "instance")
OTHERS = replace(MINE, instance_id="other")
STANDALONE = replace(MINE, instance_id="")
NEW = Labels(None, 0)
WHOLE = Labels("one", 2)


@pytest.mark.parametrize(
    ("labels", "in_directories", "in_metadata"),
    [
        (NEW, {}, None),  # a new bookie
        (WHOLE, {"/a": MINE, "/b": MINE, "/j": MINE}, MINE),
        (WHOLE, {"/a": MINE}, MINE),  # the end came between two cookies
        (WHOLE, {}, MINE),  # or before the first one
        (WHOLE, {}, STANDALONE),  # a standalone's metadata was copied
        (WHOLE, {}, None),  # or not; its ledgers are asked for later
        (Labels("one", 3), {"/a": MINE}, MINE),
        (Labels("one", 0), {}, None),  # the end came while the directories were made
    ],
)
def test_it_may_start(
    labels: Labels, in_directories: dict[str, Cookie], in_metadata: Cookie | None
) -> None:
    check_cookies(MINE, labels, in_directories, in_metadata)


@pytest.mark.parametrize(
    ("labels", "in_directories", "in_metadata", "reason"),
    [
        (NEW, {}, MINE, "with 2 ledger directories, but of /a, /b only 0 are its own"),
        (Labels("one", 1), {"/a": MINE}, MINE, "only 1 are its own"),
        (WHOLE, {"/a": OTHERS}, MINE, "/a is of the cluster with instance id other"),
        (WHOLE, {}, OTHERS, "the cluster's cookie of bookie one is of"),
        (WHOLE, {"/a": MINE}, None, "has no cookie of bookie one"),
        (WHOLE, {"/a": replace(MINE, bookie_id="two")}, MINE, "/a is of bookie two"),
    ],
)
def test_it_may_not(
    labels: Labels, in_directories: dict[str, Cookie], in_metadata: Cookie | None, reason: str
) -> None:
    with pytest.raises(DirectoryError, match=reason):
        check_cookies(MINE, labels, in_directories, in_metadata)


@pytest.fixture
def config(tmp_path: Path) -> BookieConfig:
    for name in ("journal", "a", "b"):
        (tmp_path / name).mkdir()
    return BookieConfig(
        ledger_directories=(f"{tmp_path}/a", f"{tmp_path}/b"),
        journal_directories=(f"{tmp_path}/journal",),
    )


def test_cookies_are_kept_in_all_directories_and_replaced(config: BookieConfig) -> None:
    disk = SystemDisk()
    assert read_cookies(disk, config) == {}
    write_cookies(disk, config, STANDALONE)
    write_cookies(disk, config, MINE)
    found = read_cookies(disk, config)
    assert found == dict.fromkeys((*config.ledger_directories, *config.journal_directories), MINE)


def test_a_damaged_cookie_is_none(config: BookieConfig) -> None:
    Path(config.ledger_directories[0], "COOKIE").write_bytes(b"5\nbookieHost")
    with pytest.raises(DirectoryError, match="COOKIE is damaged"):
        read_cookies(SystemDisk(), config)


def test_labels_say_whose_the_directories_are(config: BookieConfig) -> None:
    disk = SystemDisk()
    assert read_labels(disk, config) == NEW
    write_label(disk, config.journal_directories[0], Label("one", {"journal": 0}))
    assert read_labels(disk, config) == Labels("one", 0)
    write_label(disk, config.ledger_directories[0], Label("one", {"ledgers": 0}))
    assert read_labels(disk, config) == Labels("one", 1)
    write_label(disk, config.ledger_directories[1], Label("two", {"ledgers": 0}))
    with pytest.raises(DirectoryError, match="different bookies: one, two"):
        read_labels(disk, config)
