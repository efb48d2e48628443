"""The `magnetar` command: reads the command line, loads only what the chosen command needs.

Exit codes: 0 done, 1 it failed while running, 2 the command line or the configuration is wrong,
3 the data directory is in use by another process, 4 the disk failed or is full.
"""

import importlib
import sys
from typing import Final

import click

COMMANDS: Final = {
    "autorecovery": (
        "magnetar_cli.autorecovery_command",
        "Replace lost replicas of ledgers, beside bookies or for them.",
    ),
    "bookie": (
        "magnetar_cli.bookie_command",
        "Run a bookie that BookKeeper's clients write to.",
    ),
    "broker": (
        "magnetar_cli.broker_command",
        "Run a broker on bookies and a ZooKeeper elsewhere.",
    ),
    "cluster": (
        "magnetar_cli.cluster_command",
        "Make what a new cluster needs in its metadata store.",
    ),
    "ledger": (
        "magnetar_cli.ledger_command",
        "Look at the ledgers that a metadata store knows.",
    ),
    "metadata": (
        "magnetar_cli.metadata_command",
        "Copy metadata from one store into another.",
    ),
    "standalone": (
        "magnetar_cli.standalone_command",
        "Run a whole Pulsar-compatible broker in one process.",
    ),
}
"""Command -> (module that has it under the name `command`, one line of help)."""


class LazyGroup(click.Group):
    """A group that imports a command when it is run, and not to list it.

    `magnetar --help` must answer at once: importing all services takes longer than a start.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module_name, _ = COMMANDS[cmd_name]
        command = importlib.import_module(module_name).command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="magnetar", message="magnetar %(version)s")
def cli() -> None:
    """Magnetar: a Pulsar-compatible broker on a replicated ledger."""


def main() -> None:
    """Entry point of the `magnetar` script."""
    sys.exit(cli.main(standalone_mode=True))
