"""All rows in the order of the table."""

from typing import Final

from bench.row import Row
from bench.rows import bookies, drain, fanout, latency, official, raw, recovery, sdk, startup, web

ROWS: Final[dict[str, Row]] = {
    row.name: row
    for module in (raw, official, latency, drain, fanout, startup, bookies, recovery, web, sdk)
    for row in module.ROWS
}
