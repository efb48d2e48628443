"""The garbage collector of a service: what a start leaves behind is never walked again."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_THRESHOLDS: Final = (50_000, 20, 50)
"""Few objects of the hot path are tracked by the collector, so it need not look often."""


@contextmanager
def imports_for_good() -> Iterator[None]:
    """Imports in it are neither interrupted by the collector nor ever walked by it.

    What they make lives as long as the process; walking it took a tenth of a start.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def calm_collector() -> None:
    """At the end of a start: what it leaves behind stays for good, too."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
