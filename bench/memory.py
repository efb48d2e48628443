"""Memory of a process group, shared pages counted once."""

import os
import subprocess
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
KILOBYTE: Final = 1024


def group_memory_bytes(group: int) -> int:
    """Proportional set size of all processes of the group; resident size without /proc."""
    if PROC.is_dir():
        return sum(_pss_bytes(pid) for pid in _members(group))
    command = ["ps", "-o", "rss=", "-g", str(group)]
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return sum(int(line) for line in listing.split()) * KILOBYTE


def process_memory_bytes(pid: int) -> int:
    """The same of one process; Linux only."""
    return _pss_bytes(pid)


def _members(group: int) -> list[int]:
    members = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                if os.getpgid(int(entry.name)) == group:
                    members.append(int(entry.name))
            except ProcessLookupError:
                continue  # it ended while we looked
    return members


def _pss_bytes(pid: int) -> int:
    for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == "Pss":
            return int(rest.split()[0]) * KILOBYTE
    raise AssertionError("smaps_rollup without Pss")
