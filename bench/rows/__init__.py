"""All rows in the order of the table."""

from typing import Final

from bench.row import Row
from bench.rows import drain, fanout, latency, official, raw, startup

ROWS: Final[dict[str, Row]] = {
    row.name: row
    for module in (raw, official, latency, drain, fanout, startup)
    for row in module.ROWS
}
