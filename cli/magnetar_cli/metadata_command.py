"""`magnetar metadata copy`: from one metadata store into another."""

import json
import random
import uuid
from collections.abc import Callable
from dataclasses import asdict

import click
from magnetar_metadata.errors import TargetNotEmptyError
from magnetar_metadata.ledger_layout import check_layout, prepare_ledger_root
from magnetar_metadata.metadata_copy import CopyReport, copy_metadata
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_runtime.clock import Clock, SystemClock

from magnetar_cli.exits import CommandFailedError, WrongSettingsError
from magnetar_cli.metadata_access import HELP, opened, output_option, run_told, url_of

_PROGRESS_INTERVAL_NS = 1_000_000_000


@click.group(context_settings=HELP)
def command() -> None:
    """Copy metadata from one store into another."""


@command.command("copy", context_settings=HELP)
@click.argument("source", callback=url_of)
@click.argument("target", callback=url_of)
@click.option(
    "--into-non-empty",
    is_flag=True,
    help="Copy although the target has metadata; nodes of the same path are overwritten.",
)
@output_option
def copy(source: MetadataUrl, target: MetadataUrl, into_non_empty: bool, output: str) -> None:
    """Copy all metadata from SOURCE into TARGET and read it back.

    The way out of a standalone: stop it, copy `sqlite:DIR` to `zk:HOST:PORT`, start a bookie on its
    directories and brokers on ZooKeeper. SOURCE stays as it is. Both are zk:HOST:PORT[/ROOT] or
    sqlite:DIR.
    """
    if source == target:
        raise WrongSettingsError("source and target are the same store")
    instance_id = str(uuid.UUID(int=random.Random().getrandbits(128), version=4))

    async def run() -> tuple[CopyReport, str]:
        async with opened(source) as old, opened(target, make_root=True) as new:
            for store in (old, new):
                await check_layout(store, source.ledgers_root)
            try:
                report = await copy_metadata(
                    old,
                    new,
                    progress_printer(SystemClock(), lambda line: click.echo(line, err=True)),
                    into_non_empty=into_non_empty,
                    ledgers_root=source.ledgers_root,
                )
            except TargetNotEmptyError as error:
                raise CommandFailedError(f"{error}; --into-non-empty copies all the same") from None
            # What a standalone has no need of, and bookies as services have.
            return report, await prepare_ledger_root(new, instance_id, source.ledgers_root)

    report, cluster_id = run_told(run)
    if output == "json":
        click.echo(json.dumps({**asdict(report), "instance_id": cluster_id}))
    else:
        _print_report(report, cluster_id)


def progress_printer(clock: Clock, echo: Callable[[str], None]) -> Callable[[str, int, int], None]:
    """Tells at most once a second how far it is, and nothing of what is done in the first."""
    last_ns = clock.monotonic_ns()

    def progress(what: str, done: int, total: int) -> None:
        nonlocal last_ns
        if clock.monotonic_ns() - last_ns >= _PROGRESS_INTERVAL_NS:
            last_ns = clock.monotonic_ns()
            echo(f"{what}: {done}" + (f" of {total}" if total else ""))

    return progress


def _print_report(report: CopyReport, instance_id: str) -> None:
    click.echo(
        f"copied {report.nodes} nodes with {report.value_bytes} bytes "
        f"({report.made} made, {report.replaced} overwritten); all read back and are equal"
    )
    if report.skipped_ephemeral:
        click.echo(f"left out {report.skipped_ephemeral} nodes of sessions")
    click.echo(f"new ledgers begin at {report.ledger_ids_from}; instance id {instance_id}")
