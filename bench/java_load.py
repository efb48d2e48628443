"""Load on bookies with the Java client: `LedgerLoad.java`, run by the peer script."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Final

from bench.errors import WorkerError
from bench.servers import APACHE
from bench.workers import GRACE_S

PROGRAM: Final = APACHE.parent / "LedgerLoad.java"


def run(
    directory: Path,
    uri: str,
    quorums: tuple[int, int, int],
    payload_bytes: int,
    window: int,
    rate: float,
    seconds: float,
    warm_seconds: float,
    most: int,
) -> dict[str, Any]:
    """Adds entries to a ledger; `rate` 0 means as fast as the window allows.

    Args:
        directory: for what the peer script needs.
        uri: metadata service URI of the bookies.
    """
    numbers = [*quorums, payload_bytes, window, rate, seconds, warm_seconds, most]
    try:
        done = subprocess.run(
            [str(APACHE), "java", str(PROGRAM), uri, *map(str, numbers)],
            env={**os.environ, "PEERS_DATA": str(directory), "PEER_LOG": "error"},
            capture_output=True,
            text=True,
            timeout=seconds + warm_seconds + GRACE_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WorkerError(f"{PROGRAM.name} did not end in {seconds} s") from None
    if done.returncode != 0 or not done.stdout:
        raise WorkerError(f"{PROGRAM.name} ended with {done.returncode}: {done.stderr[-2000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures
