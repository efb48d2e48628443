"""A bookie's scrubber with the client that brings back what is bad: put together here, as storage
does not know of clients."""

import logging
from collections.abc import Iterator
from functools import partial

from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.mending import ReplicaMender
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_runtime.clock import Clock
from magnetar_runtime.counters import Counters, Family, Kind, Sample
from magnetar_runtime.scope import TaskScope, periodically
from magnetar_runtime.settings_storage import BookieSettings
from magnetar_storage.engine import BookieEngine
from magnetar_storage.errors import StorageError
from magnetar_storage.scrub.config import ScrubConfig
from magnetar_storage.scrub.scrubber import Scrubber

log = logging.getLogger(__name__)

_LOOK_INTERVAL_MS = 1_000
"""How soon damage that a read has met is repaired."""


def start_scrubbing(
    scope: TaskScope,
    bookie: BookieEngine,
    registry: LedgerRegistry,
    tools: ClientTools,
    settings: BookieSettings,
    clock: Clock,
    counters: Counters,
) -> Scrubber:
    """Scrub the bookie until the scope is closed. `tools` reach the other bookies."""
    config = scrub_config(settings)
    mender = ReplicaMender(tools, bookie, bookie.bookie_id, config.rate_bytes_per_s)
    scrubber = Scrubber(bookie, registry, mender, config, clock)
    counters.add_source(partial(families, scrubber))
    periodically(scope, _LOOK_INTERVAL_MS, partial(_scrub, scrubber), "scrubber")
    return scrubber


def scrub_config(settings: BookieSettings) -> ScrubConfig:
    """What the keys of `bookkeeper.conf` ask for."""
    return ScrubConfig(
        interval_ms=settings.scrub_interval_s * 1000,
        rate_bytes_per_s=settings.scrub_bytes_per_s,
    )


def families(scrubber: Scrubber) -> Iterator[Family]:
    """What there is to be repaired; what was done stands with the bookie's counters."""
    yield Family(
        "magnetar_bookie_scrub_ledgers_waiting",
        Kind.GAUGE,
        "Ledgers of which something is bad or missing here.",
        [Sample({}, scrubber.waiting)],
    )


async def _scrub(scrubber: Scrubber) -> None:
    try:
        await scrubber.run_due()
    except StorageError as error:
        # What failed for good ends the process by `on_failure`.
        log.warning("records are not scrubbed: %s", error)
