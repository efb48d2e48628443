"""`magnetar ledger recover`: close a ledger that its writer left open."""

import json
from typing import Any

import click
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.metadata_update import read_metadata
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore

from magnetar_cli.bookie_client import bookie_options
from magnetar_cli.ledger_access import LEDGER_ID, open_ledger, run_with_tools
from magnetar_cli.metadata_access import HELP, metadata_store_option, output_option


@click.command("recover", context_settings=HELP)
@click.argument("ledger_id", type=LEDGER_ID)
@metadata_store_option
@bookie_options
@output_option
def command(ledger_id: int, url: MetadataUrl, network: BookieNetworkConfig, output: str) -> None:
    """Close a ledger at the last entry that may have been confirmed.

    Its writer, if there still is one, is fenced: it can confirm nothing more and ends with an
    error. A ledger that is closed already stays as it is.
    """

    async def work(_store: MetadataStore, tools: ClientTools) -> dict[str, Any]:
        before = (await read_metadata(tools.registry, ledger_id)).metadata.state
        reader = await open_ledger(tools, ledger_id, recover=True)
        return {
            "ledger": ledger_id,
            "before": before.name,
            "last_entry": reader.last_add_confirmed,
            "bytes": reader.length,
        }

    found = run_with_tools(url, work, network)
    if output == "json":
        click.echo(json.dumps(found))
        return
    end = f"at entry {found['last_entry']}, {found['bytes']} bytes"
    if found["before"] == "CLOSED":
        click.echo(f"ledger {ledger_id} was closed before, {end}")
    else:
        before = found["before"]
        click.echo(f"ledger {ledger_id} was {before}: its writer is fenced; it is closed {end}")
