"""How often a test repeats, and with which seed: short here, full in `make nightly`."""

import os


def run_count(short: int) -> int:
    """Repetitions of this run: MAGNETAR_COUNT, else the short count."""
    return int(os.environ.get("MAGNETAR_COUNT", str(short)))


def run_seed() -> int:
    """First seed of this run; print it where a failure shows, so that it can be repeated."""
    return int(os.environ.get("MAGNETAR_SEED", "0"))
