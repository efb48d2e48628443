"""`magnetar ledger read`: the entries of a ledger, from whoever has them or from one bookie."""

import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final, NamedTuple

import click
from magnetar_ledger.bookie_calls import read_bookie
from magnetar_ledger.client_tools import ClientTools
from magnetar_ledger.digest import EntryDigest
from magnetar_ledger.errors import DigestMismatchError
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_ledger.reader import LedgerReader
from magnetar_ledger.striping import Quorum, segment_index
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore
from magnetar_proto.bookie import Status

from magnetar_cli.bookie_client import bookie_options
from magnetar_cli.exits import CommandFailedError
from magnetar_cli.ledger_access import LEDGER_ID, READ_TIMEOUT_MS, open_ledger, run_with_tools
from magnetar_cli.metadata_access import HELP, metadata_store_option, output_option

_BATCH_ENTRIES: Final = 100
_BATCH_BYTES: Final = 1 << 20

FORMS: Final[Mapping[str, Callable[[bytes], str]]] = {
    "text": lambda payload: payload.decode("utf-8", "backslashreplace"),
    "hex": bytes.hex,
    "base64": lambda payload: base64.b64encode(payload).decode(),
}
"""How payloads are shown."""


class _Entry(NamedTuple):
    """An entry, or why there is none."""

    entry_id: int
    payload: bytes
    error: str = ""


_Entries = AsyncIterator[_Entry]


@click.command("read", context_settings=HELP)
@click.argument("ledger_id", type=LEDGER_ID)
@metadata_store_option
@bookie_options
@click.option("-fe", "--first-entry", type=click.IntRange(0), default=0, help="Begin with it.")
@click.option("-le", "--last-entry", type=click.IntRange(0), help="End with it; else at the end.")
@click.option("-b", "--bookie", metavar="ID", help="Read the copies of this bookie only.")
@click.option(
    "--payload",
    "form",
    type=click.Choice(list(FORMS)),
    default="text",
    show_default=True,
    help="How payloads are shown.",
)
@output_option
def command(
    ledger_id: int,
    url: MetadataUrl,
    network: BookieNetworkConfig,
    first_entry: int,
    last_entry: int | None,
    bookie: str | None,
    form: str,
    output: str,
) -> None:
    """Show confirmed entries, one a line; of an open ledger those that are known as confirmed.

    The writer of an open ledger is not disturbed. With --bookie every entry is asked for at this
    one, also where it should not have it; the command ends with 1 if one is missing or bad there.
    With -o json each line is an object.
    """
    show = _show_json if output == "json" else _show_text

    async def work(_store: MetadataStore, tools: ClientTools) -> int:
        reader = await open_ledger(tools, ledger_id, recover=False)
        last = reader.last_add_confirmed
        if last_entry is not None:
            last = min(last, last_entry)
        entries = _of_replicas(reader, first_entry, last)
        if bookie is not None:
            entries = _of_bookie(tools, reader, bookie, first_entry, last)
        bad = 0
        async for entry in entries:
            bad += bool(entry.error)
            show(entry, FORMS[form])
        return bad

    bad = run_with_tools(url, work, network)
    if bad:
        raise CommandFailedError(f"bookie {bookie} did not give {bad} entries")


async def _of_replicas(reader: LedgerReader, first: int, last: int) -> _Entries:
    while first <= last:
        for payload in await reader.read(
            first, min(_BATCH_ENTRIES, last - first + 1), _BATCH_BYTES
        ):
            yield _Entry(first, payload)
            first += 1


async def _of_bookie(
    tools: ClientTools, reader: LedgerReader, bookie_id: str, first: int, last: int
) -> _Entries:
    metadata, ledger_id = reader.metadata, reader.ledger_id
    digest = EntryDigest.of(metadata.digest_type, metadata.password)
    bookie = tools.bookies.bookie(bookie_id)
    for entry_id in range(first, last + 1):
        status, entries = await read_bookie(bookie, ledger_id, entry_id, 1, 0, READ_TIMEOUT_MS)
        if status is Status.UNAVAILABLE:
            raise CommandFailedError(f"bookie {bookie_id} cannot be reached")
        if status is not Status.OK or not entries:
            segment = metadata.segments[segment_index(metadata.segments, entry_id)]
            places = Quorum.of(metadata).write_set(entry_id)
            if bookie_id in [segment.bookies[place] for place in places]:
                yield _Entry(entry_id, b"", status.name)
            continue
        try:
            yield _Entry(entry_id, digest.payload_of(entries[0], ledger_id, entry_id))
        except DigestMismatchError as error:
            yield _Entry(entry_id, b"", str(error))


def _show_text(entry: _Entry, form: Callable[[bytes], str]) -> None:
    what = entry.error or f"{len(entry.payload)} bytes: {form(entry.payload)}"
    click.echo(f"entry {entry.entry_id}, {what}")


def _show_json(entry: _Entry, form: Callable[[bytes], str]) -> None:
    row: dict[str, Any] = {"entry": entry.entry_id}
    if entry.error:
        row["error"] = entry.error
    else:
        row |= {"bytes": len(entry.payload), "payload": form(entry.payload)}
    click.echo(json.dumps(row))
