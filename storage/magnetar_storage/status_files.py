"""Whether an operator has made the bookie read-only, kept in its ledger directories.

The file and its text are BookKeeper's: `1,READ_ONLY,<milliseconds since the epoch>`.
"""

import logging
from collections.abc import Sequence
from typing import Final

from magnetar_runtime.disk import Disk

from magnetar_storage.small_files import replace_file

_log = logging.getLogger(__name__)

_NAME: Final = "BOOKIE_STATUS"
_LAYOUT: Final = "1"
_READ_ONLY: Final = "READ_ONLY"
_READ_WRITE: Final = "READ_WRITE"
_MAX_BYTES: Final = 1 << 10


def read_status(disk: Disk, directories: Sequence[str]) -> bool:
    """Whether the newest status says read-only; False if there is none. Blocks.

    Raises:
        OSError: a directory cannot be read.
    """
    newest_ms, read_only = -1, False
    for directory in directories:
        path = f"{directory}/{_NAME}"
        if not disk.exists(path):
            continue
        file = disk.open(path)
        try:
            found = _decode(file.read_at(0, _MAX_BYTES))
        finally:
            file.close()
        if found is None:
            _log.warning("%s cannot be understood and is passed over", path)
        elif found[0] > newest_ms:
            newest_ms, read_only = found
    return read_only


def write_status(disk: Disk, directories: Sequence[str], now_ms: int, *, read_only: bool) -> None:
    """Keep the status in all directories, durably. Blocks.

    Raises:
        OSError: not all of them have it.
    """
    mode = _READ_ONLY if read_only else _READ_WRITE
    data = f"{_LAYOUT},{mode},{now_ms}\n".encode()
    for directory in directories:
        replace_file(disk, directory, _NAME, data)


def _decode(data: bytes) -> tuple[int, bool] | None:
    """When it was written and whether it says read-only; None if that cannot be told."""
    parts = [part.strip() for part in data.decode("utf-8", "replace").partition("\n")[0].split(",")]
    if len(parts) < 3 or parts[0] != _LAYOUT or parts[1] not in (_READ_ONLY, _READ_WRITE):
        return None
    return (int(parts[2]), parts[1] == _READ_ONLY) if parts[2].isdecimal() else None
