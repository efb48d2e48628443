"""`magnetar bookie list`: who is registered, where, and how much room each has."""

import asyncio
from typing import Any, Final

import click
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_ledger.network.bookie_info import BookieSpace, read_bookie_space
from magnetar_ledger.network.pool import address_of
from magnetar_metadata.bookie_registry import BookieRegistry, BookieServiceInfo
from magnetar_metadata.cookies import CookieRegistry
from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.network import SystemNetwork, address_text

from magnetar_cli.bookie_client import bookie_options
from magnetar_cli.ledger_access import show_rows
from magnetar_cli.metadata_access import (
    HELP,
    metadata_store_option,
    output_option,
    run_with_store,
)

_HEADS: Final = ("bookie", "state", "address", "http", "free MiB", "total MiB")
_ASK_TIMEOUT_MS: Final = 3_000


@click.command("list", context_settings=HELP)
@metadata_store_option
@bookie_options
@click.option("-rw", "only", flag_value="writable", help="Those that take entries.")
@click.option("-ro", "only", flag_value="read-only", help="Those that only give entries.")
@output_option
def command(url: MetadataUrl, network: BookieNetworkConfig, only: str | None, output: str) -> None:
    """The bookies of a cluster: id, state, address, and the room in their ledger directories.

    "away" are those that have a cookie and are not registered: they are stopped, or lost. Room is
    what each bookie says; without an answer there is none.
    """

    async def work(store: MetadataStore) -> list[dict[str, Any]]:
        found = await _bookies(store, url.ledgers_root)
        wanted = [each for each in found if only in (None, each[1])]
        return list(await asyncio.gather(*(_row(network, *each) for each in wanted)))

    rows = run_with_store(url, work)
    if output == "text":
        rows = [{**row, **{key: _mib(row[key]) for key in ("free", "total")}} for row in rows]
    show_rows(output, _HEADS, rows)


async def _bookies(
    store: MetadataStore, root: str
) -> list[tuple[str, str, BookieServiceInfo | None]]:
    """Id, state, and what each says of itself."""
    registry = BookieRegistry(store, root)
    states = dict.fromkeys(await CookieRegistry(store, root).ids(), "away")
    states |= dict.fromkeys(await registry.read_only(), "read-only")
    states |= dict.fromkeys(await registry.writable(), "writable")
    found = []
    for bookie_id, state in sorted(states.items()):
        try:
            info = await registry.service_info(bookie_id)
        except MalformedRecordError:
            info = None
        found.append((bookie_id, state, info))
    return found


async def _row(
    network: BookieNetworkConfig, bookie_id: str, state: str, info: BookieServiceInfo | None
) -> dict[str, Any]:
    address = address_of(bookie_id, info) if state != "away" else None
    space: BookieSpace | None = None
    if address is not None:
        space = await read_bookie_space(SystemNetwork(), address, _ASK_TIMEOUT_MS, network.tls)
    web = http_address(info)
    return {
        "bookie": bookie_id,
        "state": state,
        "address": None if address is None else address_text(*address),
        "http": None if web is None else address_text(*web),
        "free": None if space is None else space.free_bytes,
        "total": None if space is None else space.total_bytes,
    }


def http_address(info: BookieServiceInfo | None) -> tuple[str, int] | None:
    """Where a bookie serves HTTP, if it does."""
    for endpoint in info.endpoints if info else ():
        if endpoint.protocol == "http":
            return endpoint.host, endpoint.port
    return None


def _mib(size: int | None) -> int | None:
    return None if size is None else size >> 20
