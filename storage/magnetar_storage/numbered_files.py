"""Files whose names are numbers: 16 hex digits and a suffix.

Others with the suffix are not ours: a copy that somebody put there, say. They are left alone.
"""

import logging
import re
from collections.abc import Iterable
from typing import Final

_log = logging.getLogger(__name__)
_STEM: Final = re.compile("[0-9a-f]{16}")


def file_name(number: int, suffix: str) -> str:
    """The name of the file with this number."""
    return f"{number:016x}{suffix}"


def numbers_of(names: Iterable[str], suffix: str) -> list[int]:
    """The numbers that stand in the names of our files, in the order of the names."""
    return [int(name.removesuffix(suffix), 16) for name in names if _is_ours(name, suffix)]


def warn_of_others(directory: str, names: Iterable[str], suffix: str) -> None:
    """Say which files look like ours but are not: their owner may believe that they are read."""
    for name in names:
        if name.endswith(suffix) and not _is_ours(name, suffix):
            _log.warning("%s/%s is no file of this bookie: it is passed over", directory, name)


def _is_ours(name: str, suffix: str) -> bool:
    return name.endswith(suffix) and _STEM.fullmatch(name.removesuffix(suffix)) is not None
