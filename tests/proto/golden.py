"""The recorded frames of `tests/golden/frames`; `tools/record_frames.py` makes them."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FRAMES = Path(__file__).resolve().parent.parent / "golden" / "frames"
MAX_FRAME_BYTES = 5 * 1024 * 1024 + 10_240


@dataclass(frozen=True)
class GoldenFrame:
    """One frame as it passed between the official client and Apache Pulsar."""

    scenario: str
    connection: int
    sender: str
    data: bytes


@cache
def golden_frames() -> tuple[GoldenFrame, ...]:
    """All of them, by scenario in the order of recording."""
    return tuple(
        GoldenFrame(path.stem, row["connection"], row["from"], bytes.fromhex(row["frame"]))
        for path in sorted(FRAMES.glob("*.jsonl"))
        for row in map(json.loads, path.read_text().splitlines())
    )


def streams() -> dict[str, bytes]:
    """What went one way over one connection, as one string of bytes, by a name for it."""
    found: dict[str, bytes] = {}
    for frame in golden_frames():
        name = f"{frame.scenario}-{frame.connection}-{frame.sender}"
        found[name] = found.get(name, b"") + frame.data
    return found
