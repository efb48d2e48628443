"""How long a bookie takes from its start until it serves, by what its journal has that its index
has not. It was killed, and nothing of its files is in the page cache."""

import time
from functools import partial
from typing import Any, Final

from bench.bookies import SESSION_MS, Cluster, apache_bookies, magnetar_bookies
from bench.page_cache import drop_pages
from bench.row import Figure, MakeServer, Measure, Plan, Row
from bench.runner import OURS, THEIRS
from bench.servers import Server
from bench.workers import measure

SECTION: Final = "Recovery time of a bookie"
PAYLOAD_BYTES: Final = 1024
ENTRY_BYTES: Final = PAYLOAD_BYTES + 36
JOURNAL_BYTES: Final = {"0.1 GB": 100_000_000, "0.5 GB": 500_000_000, "1 GB": 1_000_000_000}
LONGEST_S: Final = 600.0
NO_FLUSH: Final = {"dbStorage_writeCacheMaxSizeMb": "4096", "flushInterval": "3600000"}
"""While the journal is filled: everything stays in the write cache. The start that is measured has
the usual cache."""
ONE_BOOKIE: Final[dict[str, MakeServer]] = {
    OURS: partial(magnetar_bookies, bookies=1),
    THEIRS: partial(apache_bookies, bookies=1),
}


def _recovery(journal_bytes: int) -> Measure:
    def run(server: Server, plan: Plan) -> dict[str, Any]:
        assert isinstance(server, Cluster)
        server.start()
        entries = min(journal_bytes, plan.backlog_bytes) // ENTRY_BYTES
        written = measure(
            "ledger_load",
            LONGEST_S,
            url=server.metadata_url,
            quorums=(1, 1, 1),
            payload_bytes=PAYLOAD_BYTES,
            window=2000,
            rate=0,
            seconds=LONGEST_S,
            warm_seconds=0,
            most=entries,
        )
        (bookie,) = server.bookies
        bookie.kill()
        bookie.settings.clear()
        drop_pages(bookie.data_directory)
        time.sleep(SESSION_MS / 1000 + 1)  # until nobody waits for the one that was killed
        return {"entries": written["entries"], "ready_s": round(bookie.start(LONGEST_S), 3)}

    return run


ROWS: Final = [
    Row(
        name=f"recovery_{journal_bytes // 1_000_000}",
        title=f"start after kill -9, {name} in the journal",
        figures=(Figure("ready_s", "s until ready", less_is_better=True),),
        measure=_recovery(journal_bytes),
        settings=NO_FLUSH,
        systems=ONE_BOOKIE,
        starts_itself=True,
        section=SECTION,
    )
    for name, journal_bytes in JOURNAL_BYTES.items()
]
