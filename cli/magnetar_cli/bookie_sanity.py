"""`magnetar bookie sanity`: does a bookie take entries, and give them back?"""

import asyncio
import random
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Final

import click
from magnetar_ledger.appends import Appends
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.errors import LedgerError, NotEnoughBookiesError
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_metadata.bookie_registry import BookieRegistry
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import SystemClock

from magnetar_cli.bookie_client import bookie_options
from magnetar_cli.exits import CommandFailedError
from magnetar_cli.ledger_access import run_with_tools, show_rows
from magnetar_cli.metadata_access import HELP, metadata_store_option, output_option

_HEADS: Final = ("bookie", "result", "ledger", "entries", "ms")
_PASSWORD: Final = b"sanity"
_MAX_BYTES: Final = 1 << 20


@click.command("sanity", context_settings=HELP)
@click.argument("bookie_id", required=False)
@metadata_store_option
@bookie_options
@click.option("-e", "--entries", type=click.IntRange(1, 100_000), default=10, show_default=True)
@click.option(
    "-t", "--timeout", "timeout_s", type=click.IntRange(1), default=10, show_default=True,
    help="So many seconds for each bookie.",
)  # fmt: skip
@output_option
def command(
    bookie_id: str | None,
    url: MetadataUrl,
    network: BookieNetworkConfig,
    entries: int,
    timeout_s: int,
    output: str,
) -> None:
    """Write a ledger on one bookie alone, close it, read it back, delete it.

    Without an id, on each bookie that takes entries, one after another. Ends with 1 if one fails.
    """

    async def work(store: MetadataStore, tools: ClientTools) -> list[dict[str, Any]]:
        ids = [bookie_id] if bookie_id else await BookieRegistry(store, url.ledgers_root).writable()
        if not ids:
            raise CommandFailedError("no bookie takes entries")
        return [await _try_bookie(tools, each, entries, timeout_s) for each in ids]

    rows = run_with_tools(url, work, network)
    show_rows(output, _HEADS, rows)
    bad = [row["bookie"] for row in rows if row["result"] != "ok"]
    if bad:
        raise CommandFailedError(f"{len(bad)} of {len(rows)} bookies failed: {' '.join(bad)}")


class _OneBookie:
    """A placement that knows one bookie."""

    def __init__(self, bookie_id: str) -> None:
        self._bookie_id = bookie_id

    async def choose(
        self,
        count: int,
        avoided: Collection[str],
        rng: random.Random,
        *,
        kept: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """See `magnetar_ledger.placement.Placement`."""
        if count != 1 or self._bookie_id in (*avoided, *kept):
            raise NotEnoughBookiesError(f"bookie {self._bookie_id} did not take an entry")
        return (self._bookie_id,)


async def _try_bookie(
    tools: ClientTools, bookie_id: str, count: int, timeout_s: int
) -> dict[str, Any]:
    clock = SystemClock()
    client = LedgerClient.with_tools(replace(tools, placement=_OneBookie(bookie_id)))
    begun_ns, ledger_id, result = clock.monotonic_ns(), None, "ok"
    try:
        async with asyncio.timeout(timeout_s):
            writer = await client.create(
                ensemble_size=1, write_quorum=1, ack_quorum=1, password=_PASSWORD
            )
            ledger_id = writer.ledger_id
            appends = Appends(writer)
            payloads = [b"sanity %d" % number for number in range(count)]
            await asyncio.gather(*map(appends.append, payloads))
            await writer.close()
            await _compare(client, ledger_id, payloads)
    except TimeoutError:
        result = f"not done in {timeout_s} s"
    except LedgerError as error:
        result = str(error)
    took_ms = (clock.monotonic_ns() - begun_ns) // 1_000_000
    if ledger_id is not None:
        await client.delete(ledger_id)
    return {
        "bookie": bookie_id, "result": result, "ledger": ledger_id, "entries": count, "ms": took_ms
    }  # fmt: skip


async def _compare(client: LedgerClient, ledger_id: int, payloads: Sequence[bytes]) -> None:
    """Raises LedgerError."""
    reader = await client.open(ledger_id, password=_PASSWORD, recover=False)
    found: list[bytes] = []
    while len(found) <= reader.last_add_confirmed:
        found += await reader.read(len(found), len(payloads), _MAX_BYTES)
    if found != payloads:
        raise LedgerError(f"gave {len(found)} entries, not the {len(payloads)} that were written")
