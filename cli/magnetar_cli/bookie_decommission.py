"""`magnetar bookie decommission ID`: a stopped bookie leaves the cluster for good."""

import asyncio
import json
from collections.abc import Callable

import click
from magnetar_ledger.connect import connect_tools
from magnetar_ledger.errors import LedgerError
from magnetar_ledger.network import BookieNetworkConfig
from magnetar_ledger.repair.config import RepairConfig
from magnetar_ledger.repair.decommission import Decommission
from magnetar_ledger.repair.worker import ReplicationWorker
from magnetar_metadata.bookie_registry import is_bookie_id
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.scope import TaskScope

from magnetar_cli.bookie_client import bookie_options
from magnetar_cli.exits import CommandFailedError, WrongSettingsError
from magnetar_cli.metadata_access import (
    HELP,
    metadata_store_option,
    output_option,
    run_with_store,
)


@click.command("decommission", context_settings=HELP)
@click.argument("bookie_id")
@metadata_store_option
@bookie_options
@click.option("--timeout", "timeout_s", type=click.IntRange(1), help="Give up after so many s.")
@output_option
def command(
    bookie_id: str,
    url: MetadataUrl,
    network: BookieNetworkConfig,
    timeout_s: int | None,
    output: str,
) -> None:
    """Take a bookie that was stopped out of the cluster: its ledgers get other bookies, which
    receive copies of what it had, then its cookie is removed.

    This process copies, too; auto-recovery elsewhere helps. It may be stopped and begun again.
    """
    if not is_bookie_id(bookie_id):
        raise WrongSettingsError(f"{bookie_id!r} cannot be the id of a bookie")

    def progress(left: int) -> None:
        if output == "text":
            click.echo(f"{left} ledgers need bookie {bookie_id}")

    async def work(store: MetadataStore) -> int:
        try:
            async with asyncio.timeout(timeout_s):
                return await _decommission(store, url, network, bookie_id, progress)
        except TimeoutError:
            reason = f"bookie {bookie_id} is still needed after {timeout_s} s; begin again"
            raise CommandFailedError(reason) from None
        except LedgerError as error:
            raise CommandFailedError(str(error)) from error

    copied = run_with_store(url, work)
    if output == "json":
        click.echo(json.dumps({"bookie": bookie_id, "entriesCopied": copied}))
    else:
        click.echo(f"bookie {bookie_id} is out of the cluster")


async def _decommission(
    store: MetadataStore,
    url: MetadataUrl,
    network: BookieNetworkConfig,
    bookie_id: str,
    progress: Callable[[int], None],
) -> int:
    """Returns how many entries this process has copied."""
    clock, root = SystemClock(), url.ledgers_root
    config = RepairConfig(retry_pause_ms=1_000)
    connecting = connect_tools(store, ledgers_root=root, network_config=network)
    async with connecting as tools, TaskScope() as scope:
        worker = ReplicationWorker(store, tools, f"decommission of {bookie_id}", config, root)
        work = Decommission(store, bookie_id, clock, ledgers_root=root, poll_ms=1_000)
        working = scope.spawn(worker.run(), name="replication worker")
        await work.run(progress)
        working.cancel()
        return worker.entries_copied
