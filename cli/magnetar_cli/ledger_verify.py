"""`magnetar ledger verify`: every copy of every entry, read and compared."""

import json
from typing import Any, Final

import click
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_ledger.verification import Verification, verify_ledger
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore

from magnetar_cli.bookie_client import bookie_options
from magnetar_cli.exits import CommandFailedError
from magnetar_cli.ledger_access import LEDGER_ID, open_ledger, run_with_tools
from magnetar_cli.ledger_command import table
from magnetar_cli.metadata_access import HELP, metadata_store_option, output_option

_HEADS: Final = ("bookie", "entries", "what")


@click.command("verify", context_settings=HELP)
@click.argument("ledger_id", type=LEDGER_ID)
@metadata_store_option
@bookie_options
@output_option
def command(ledger_id: int, url: MetadataUrl, network: BookieNetworkConfig, output: str) -> None:
    """Read all copies of all confirmed entries from all their bookies: is each there, is its digest
    right, are they the same?

    Ends with 1 if a copy is missing, bad or cannot be read. Nothing is changed: a bookie's scrubber
    and auto-recovery replace what is missing.
    """

    async def work(_store: MetadataStore, tools: ClientTools) -> Verification:
        reader = await open_ledger(tools, ledger_id, recover=False)
        return await verify_ledger(tools, ledger_id, reader.metadata, reader.last_add_confirmed)

    found = run_with_tools(url, work, network)
    if output == "json":
        click.echo(json.dumps(_facts(ledger_id, found)))
    else:
        for line in _lines(ledger_id, found):
            click.echo(line)
    if found.faults:
        count = sum(each.last_entry_id - each.first_entry_id + 1 for each in found.faults)
        raise CommandFailedError(f"ledger {ledger_id}: {count} of {found.copies} copies are bad")


def _facts(ledger_id: int, found: Verification) -> dict[str, Any]:
    return {
        "ledger": ledger_id,
        "entries": found.entries,
        "copies": found.copies,
        "lost": found.lost,
        "faults": [
            {
                "bookie": each.bookie_id,
                "first_entry": each.first_entry_id,
                "last_entry": each.last_entry_id,
                "fault": each.fault.value,
            }
            for each in found.faults
        ],
    }


def _lines(ledger_id: int, found: Verification) -> list[str]:
    lines = [f"ledger {ledger_id}: {found.entries} entries, {found.copies} copies"]
    if found.faults:
        rows = [
            (each.bookie_id, f"{each.first_entry_id}-{each.last_entry_id}", each.fault.value)
            for each in found.faults
        ]
        lines += table([_HEADS, *rows])
    if found.lost:
        some = " ".join(map(str, found.lost[:20])) + (" ..." if len(found.lost) > 20 else "")
        lines.append(f"{len(found.lost)} entries have no good copy: {some}")
    return lines
