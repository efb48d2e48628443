"""`magnetar ledger delete`."""

import json

import click
from magnetar_ledger.client import LedgerClient
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.metadata_update import read_metadata
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore

from magnetar_cli.exits import CommandFailedError, WrongSettingsError
from magnetar_cli.ledger_access import LEDGER_ID, run_with_tools
from magnetar_cli.metadata_access import HELP, metadata_store_option, output_option


@click.command("delete", context_settings=HELP)
@click.argument("ledger_id", type=LEDGER_ID)
@metadata_store_option
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@output_option
def command(ledger_id: int, url: MetadataUrl, yes: bool, output: str) -> None:
    """Delete a ledger for good: its metadata now, its entries when bookies next collect garbage.

    Whoever has it in a list of his own, as a topic has, will miss it.
    """
    if output == "json" and not yes:
        raise WrongSettingsError("-o json asks no questions: say --yes")

    async def state(_store: MetadataStore, tools: ClientTools) -> str:
        metadata = (await read_metadata(tools.registry, ledger_id)).metadata
        if not metadata.closed:
            return metadata.state.name
        return f"CLOSED, {metadata.last_entry_id + 1} entries, {metadata.length} bytes"

    async def delete(_store: MetadataStore, tools: ClientTools) -> None:
        await LedgerClient.with_tools(tools).delete(ledger_id)

    if not yes:
        question = f"delete ledger {ledger_id} ({run_with_tools(url, state)}) for good?"
        if not click.confirm(question, err=True):
            raise CommandFailedError(f"ledger {ledger_id} was not deleted")
    run_with_tools(url, delete)
    if output == "json":
        click.echo(json.dumps({"ledger": ledger_id, "deleted": True}))
    else:
        click.echo(f"ledger {ledger_id} is deleted")
