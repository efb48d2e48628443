"""Cookies in the directories of a bookie service, and what they must say before it starts.

The cluster keeps a cookie of each bookie. A bookie whose directories lack what the cookie speaks of
has lost entries, and would say that there are none: it must not start.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from magnetar_metadata.cookies import Cookie
from magnetar_metadata.errors import MalformedRecordError
from magnetar_runtime.disk import Disk

from magnetar_storage.config import BookieConfig
from magnetar_storage.directories import LEDGERS, all_directories, read_label
from magnetar_storage.errors import DirectoryError
from magnetar_storage.small_files import replace_file

_NAME: Final = "COOKIE"
_MAX_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Labels:
    """What the directories say of themselves.

    Attributes:
        bookie_id: whose they are; None if all are new.
        ledger_directories: how many of them were ledger directories before.
    """

    bookie_id: str | None
    ledger_directories: int


def read_labels(disk: Disk, config: BookieConfig) -> Labels:
    """Whose the directories are. Blocks.

    Raises:
        DirectoryError: they are of several bookies.
    """
    labels = [read_label(disk, directory) for directory in all_directories(config)]
    known = [label for label in labels if label is not None]
    ids = {label.bookie_id for label in known}
    if len(ids) > 1:
        raise DirectoryError(f"the directories are of different bookies: {', '.join(sorted(ids))}")
    count = sum(LEDGERS in label.numbers for label in known)
    return Labels(ids.pop() if ids else None, count)


def read_cookies(disk: Disk, config: BookieConfig) -> dict[str, Cookie]:
    """The cookies in the directories that have one. Blocks.

    Raises:
        DirectoryError: one cannot be read.
    """
    found: dict[str, Cookie] = {}
    for directory in all_directories(config):
        path = f"{directory}/{_NAME}"
        if not disk.exists(path):
            continue
        file = disk.open(path)
        try:
            found[directory] = Cookie.decode(file.read_at(0, _MAX_BYTES))
        except MalformedRecordError as error:
            raise DirectoryError(f"{path} is damaged: {error}") from error
        finally:
            file.close()
    return found


def write_cookies(disk: Disk, config: BookieConfig, cookie: Cookie) -> None:
    """Keep the cookie in all directories, durably, where it is not there as it is. Blocks."""
    have = read_cookies(disk, config)
    for directory in all_directories(config):
        if have.get(directory) == cookie:
            continue
        replace_file(disk, directory, _NAME, cookie.encode())


def check_cookies(
    mine: Cookie, labels: Labels, in_directories: Mapping[str, Cookie], in_metadata: Cookie | None
) -> None:
    """Whether a bookie may start on its directories in this cluster. Pure.

    Args:
        mine: as it is configured now, with the cluster's instance id.
        labels: what the directories say.

    Raises:
        DirectoryError: it may not.
    """
    who = f"bookie {mine.bookie_id}"
    if in_metadata is not None:
        _check_all_there(mine, labels, in_metadata)
    for directory, cookie in in_directories.items():
        if cookie.bookie_id != mine.bookie_id:
            raise DirectoryError(f"{directory} is of bookie {cookie.bookie_id}, not of {who}")
        _check_instance(cookie, mine, directory)
    if in_metadata is not None:
        _check_instance(in_metadata, mine, f"the cluster's cookie of {who}")
    elif in_directories:
        raise DirectoryError(
            f"the cluster has no cookie of {who}: it was removed from the cluster, or the "
            "metadata is that of another one"
        )


def _check_all_there(mine: Cookie, labels: Labels, known: Cookie) -> None:
    """Scenario: of two disks one comes back empty. The journal has only what was added last."""
    if labels.ledger_directories < len(known.ledger_directories):
        raise DirectoryError(
            f"the cluster knows bookie {mine.bookie_id} with {len(known.ledger_directories)} "
            f"ledger directories, but of {', '.join(mine.ledger_directories)} only "
            f"{labels.ledger_directories} are its own: entries are lost, or a disk is not mounted. "
            "If they are lost, remove the bookie from the cluster (replicate its ledgers, then "
            "delete its cookie) before it begins anew"
        )


def _check_instance(cookie: Cookie, mine: Cookie, where: str) -> None:
    """A cookie without an instance id is that of a standalone."""
    if cookie.instance_id and cookie.instance_id != mine.instance_id:
        raise DirectoryError(
            f"{where} is of the cluster with instance id {cookie.instance_id}, the metadata is "
            f"that of {mine.instance_id}"
        )
