"""What the commands that use a ledger client share: the client, and its errors in one line."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import click
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.connect import connect_tools
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.metadata_update import read_metadata
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_ledger.reader import LedgerReader
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore

from magnetar_cli.exits import CommandFailedError
from magnetar_cli.ledger_command import table
from magnetar_cli.metadata_access import run_with_store

READ_TIMEOUT_MS = 10_000
LEDGER_ID = click.IntRange(0, 2**63 - 1)

ResultT = TypeVar("ResultT")


def run_with_tools(
    url: MetadataUrl,
    work: Callable[[MetadataStore, ClientTools], Awaitable[ResultT]],
    network: BookieNetworkConfig | None = None,
) -> ResultT:
    """Connect, do the work, close; what comes from outside ends the command with a line."""

    async def with_store(store: MetadataStore) -> ResultT:
        config = LedgerClientConfig(read_timeout_ms=READ_TIMEOUT_MS)
        connecting = connect_tools(
            store, ledgers_root=url.ledgers_root, config=config, network_config=network
        )
        async with connecting as tools:
            try:
                return await work(store, tools)
            except LedgerError as error:
                raise CommandFailedError(_told(error)) from error

    return run_with_store(url, with_store)


async def open_ledger(tools: ClientTools, ledger_id: int, *, recover: bool) -> LedgerReader:
    """Open a ledger as whoever may read metadata can: its password stands there.

    Raises:
        LedgerError
    """
    known = await read_metadata(tools.registry, ledger_id)
    client = LedgerClient.with_tools(tools)
    return await client.open(ledger_id, password=known.metadata.password, recover=recover)


def show_rows(output: str, heads: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows as a table, or as JSON; what is not known is "-" in the table."""
    if output == "json":
        click.echo(json.dumps(rows))
        return
    keys = list(rows[0]) if rows else []
    cells = [["-" if row[key] is None else str(row[key]) for key in keys] for row in rows]
    for line in table([heads, *cells]):
        click.echo(line)


def _told(error: LedgerError) -> str:
    name = type(error).__name__
    return f"{name.removesuffix('Error')}: {error}"
