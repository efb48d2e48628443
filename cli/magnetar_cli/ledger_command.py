"""`magnetar ledger`: its commands, and those that need metadata only: list and show."""

import json
from collections.abc import Sequence
from typing import Any, Final

import click
from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.ledger_layout import check_layout
from magnetar_metadata.ledger_metadata import LedgerMetadata
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore
from magnetar_metadata.together import all_of

from magnetar_cli.exits import CommandFailedError
from magnetar_cli.lazy_group import Commands, lazy_group
from magnetar_cli.metadata_access import (
    HELP,
    metadata_store_option,
    output_option,
    run_with_store,
)

_HEADS = ("ledger", "state", "E/Qw/Qa", "last entry", "bytes", "segments", "bookies")


COMMANDS: Final[Commands] = {
    "delete": ("magnetar_cli.ledger_delete", "Delete a ledger for good."),
    "read": ("magnetar_cli.ledger_read", "Show its entries, from replicas or from one bookie."),
    "recover": ("magnetar_cli.ledger_recover", "Close an open ledger, and fence its writer."),
    "verify": ("magnetar_cli.ledger_verify", "Read and compare all copies of all entries."),
}


@click.group(cls=lazy_group(COMMANDS), context_settings=HELP)
def command() -> None:
    """Ledgers: what metadata knows of them, and what bookies have."""


@command.command("list", context_settings=HELP)
@metadata_store_option
@output_option
def list_ledgers(url: MetadataUrl, output: str) -> None:
    """All ledgers, one a line; "bookies" are those of the last segment."""

    async def work(store: MetadataStore) -> list[dict[str, Any]]:
        registry = LedgerRegistry(store, url.ledgers_root)

        async def facts(ledger_id: int) -> dict[str, Any] | None:
            return await _facts_of(registry, ledger_id)

        found = await all_of(await registry.list_ids(), facts)
        return [ledger for ledger in found if ledger is not None]

    ledgers = run_with_store(url, work)
    if output == "json":
        click.echo(json.dumps(ledgers))
    else:
        for line in table([_HEADS, *map(_row, ledgers)]):
            click.echo(line)


@command.command("show", context_settings=HELP)
@click.argument("ledger_id", type=click.IntRange(0, 2**63 - 1))
@metadata_store_option
@output_option
def show(ledger_id: int, url: MetadataUrl, output: str) -> None:
    """All that is known of one ledger."""

    async def work(store: MetadataStore) -> dict[str, Any] | None:
        await check_layout(store, url.ledgers_root)
        return await _facts_of(LedgerRegistry(store, url.ledgers_root), ledger_id)

    ledger = run_with_store(url, work)
    if ledger is None:
        raise CommandFailedError(f"there is no ledger {ledger_id}")
    if "error" in ledger:
        raise CommandFailedError(f"ledger {ledger_id}: {ledger['error']}")
    if output == "json":
        click.echo(json.dumps(ledger))
    else:
        for line in _lines(ledger):
            click.echo(line)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines with columns under each other; nothing behind the last one."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


async def _facts_of(registry: LedgerRegistry, ledger_id: int) -> dict[str, Any] | None:
    """The ledger as JSON has it; None if it is gone."""
    try:
        found = await registry.read(ledger_id)
    except MalformedRecordError as error:
        return {"ledger": ledger_id, "error": str(error)}
    return None if found is None else _facts(ledger_id, *found)


def _facts(ledger_id: int, metadata: LedgerMetadata, version: int) -> dict[str, Any]:
    return {
        "ledger": ledger_id,
        "state": metadata.state.name,
        "ensemble_size": metadata.ensemble_size,
        "write_quorum": metadata.write_quorum,
        "ack_quorum": metadata.ack_quorum,
        "last_entry": metadata.last_entry_id if metadata.closed else None,
        "bytes": metadata.length if metadata.closed else None,
        "digest": metadata.digest_type.name,
        "password": bool(metadata.password),  # whether there is one
        "created_ms": metadata.created_ms,
        "segments": [
            {"first_entry": segment.first_entry_id, "bookies": list(segment.bookies)}
            for segment in metadata.segments
        ],
        "custom": {key: _text(value) for key, value in sorted(metadata.custom.items())},
        "version": version,
    }


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"0x{value.hex()}"


def _row(ledger: dict[str, Any]) -> tuple[str, ...]:
    if "error" in ledger:
        return (str(ledger["ledger"]), "unreadable", "", "", "", "", ledger["error"])
    return (
        str(ledger["ledger"]),
        ledger["state"],
        _quorums(ledger),
        _known(ledger["last_entry"]),
        _known(ledger["bytes"]),
        str(len(ledger["segments"])),
        " ".join(ledger["segments"][-1]["bookies"]) if ledger["segments"] else "",
    )


def _quorums(ledger: dict[str, Any]) -> str:
    return "/".join(str(ledger[key]) for key in ("ensemble_size", "write_quorum", "ack_quorum"))


def _known(value: int | None) -> str:
    """A figure that an open ledger has not in metadata."""
    return "-" if value is None else str(value)


def _lines(ledger: dict[str, Any]) -> list[str]:
    rows = [
        ("ledger", str(ledger["ledger"])),
        ("state", ledger["state"]),
        ("E/Qw/Qa", _quorums(ledger)),
        ("last entry", _known(ledger["last_entry"])),
        ("bytes", _known(ledger["bytes"])),
        ("digest", ledger["digest"] + (", with a password" if ledger["password"] else "")),
        ("metadata version", str(ledger["version"])),
    ]
    rows += [
        (f"from entry {segment['first_entry']}", " ".join(segment["bookies"]))
        for segment in ledger["segments"]
    ]
    return table(rows + list(ledger["custom"].items()))
