"""`magnetar bookie`: options in, a running bookie, an exit code out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.errors import DirectoryLockedError
from magnetar_runtime.logging import setup_logging
from magnetar_runtime.settings_bookie import BookieServiceSettings

from magnetar_cli.collector import imports_for_good
from magnetar_cli.exits import DirectoryInUseError
from magnetar_cli.lazy_group import Commands, lazy_group
from magnetar_cli.service_options import config_options, read_settings, readiness_teller

COMMANDS: Final[Commands] = {
    "decommission": (
        "magnetar_cli.bookie_decommission",
        "Take a stopped bookie out of the cluster.",
    ),
    "list": ("magnetar_cli.bookie_list", "The bookies of a cluster, with their room."),
    "read-only": ("magnetar_cli.bookie_read_only", "Have a bookie take no entries, or again."),
    "sanity": ("magnetar_cli.bookie_sanity", "Write a ledger on bookies and read it back."),
}


@click.group(
    cls=lazy_group(COMMANDS),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@config_options("A bookkeeper.conf.")
@click.pass_context
def command(
    context: click.Context,
    config_file: Path | None,
    assignments: Sequence[str],
    output: str,
    log_level: str,
) -> None:
    """Run a bookie that BookKeeper's clients write to; with a command, do that instead.

    Every acknowledged entry is on disk. Keys of bookkeeper.conf are taken from --config, the
    environment (bare or with PULSAR_PREFIX_) and --set; the later one counts. The cluster must have
    been made before, for example with `magnetar cluster init`.

    Ends with 0 after SIGTERM or SIGINT (a second one kills it), 1 if it cannot go on, 2 if the
    configuration is wrong, 3 if another process uses a directory, 4 if the disk failed or is full;
    what was acknowledged until then is kept.
    """
    if context.invoked_subcommand is not None:
        return
    began_ns = SystemClock().monotonic_ns()
    setup_logging(log_level.upper(), json=output == "json")
    settings = _settings(config_file, assignments)

    # Imports of the services take longer than all the rest of a wrong command line.
    with imports_for_good():
        from magnetar_cli.bookie_serve import run_bookie

    try:
        run_bookie(settings, began_ns, readiness_teller(output))
    except DirectoryLockedError as error:
        raise DirectoryInUseError(str(error)) from error


def _settings(config_file: Path | None, assignments: Sequence[str]) -> BookieServiceSettings:
    settings = read_settings(BookieServiceSettings, config_file, assignments)
    if not settings.journal_sync_data:
        click.echo(
            "WARNING: journalSyncData=false: nothing is synced to disk, "
            "a power cut loses acknowledged entries",
            err=True,
        )
    return settings
