"""The `magnetar` command: reads the command line, loads only what the chosen command needs.

Exit codes: 0 done, 1 it failed while running, 2 the command line or the configuration is wrong,
3 the data directory is in use by another process, 4 the disk failed or is full.
"""

import sys
from typing import Final

import click

from magnetar_cli.lazy_group import Commands, lazy_group

COMMANDS: Final[Commands] = {
    "admin": (
        "magnetar_cli.admin_command",
        "Look at tenants, namespaces, topics, subscriptions, and change them.",
    ),
    "autorecovery": (
        "magnetar_cli.autorecovery_command",
        "Replace lost replicas of ledgers, beside bookies or for them.",
    ),
    "bookie": (
        "magnetar_cli.bookie_command",
        "Run a bookie that BookKeeper's clients write to; look at those of a cluster.",
    ),
    "broker": (
        "magnetar_cli.broker_command",
        "Run a broker on bookies and a ZooKeeper elsewhere.",
    ),
    "cluster": (
        "magnetar_cli.cluster_command",
        "Make what a new cluster needs; run a whole one on this machine.",
    ),
    "consume": (
        "magnetar_cli.consume_command",
        "Receive messages of a subscription.",
    ),
    "ledger": (
        "magnetar_cli.ledger_command",
        "Look at ledgers, read, check, recover and delete them.",
    ),
    "metadata": (
        "magnetar_cli.metadata_command",
        "Copy metadata from one store into another.",
    ),
    "perf": (
        "magnetar_cli.perf_command",
        "Measure how fast messages are produced or consumed.",
    ),
    "produce": (
        "magnetar_cli.produce_command",
        "Send messages to a topic: from options, files or stdin.",
    ),
    "read": (
        "magnetar_cli.read_command",
        "Read a topic from a place on, without a subscription.",
    ),
    "standalone": (
        "magnetar_cli.standalone_command",
        "Run a whole Pulsar-compatible broker in one process.",
    ),
}


@click.group(cls=lazy_group(COMMANDS), context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="magnetar", message="magnetar %(version)s")
def cli() -> None:
    """Magnetar: a Pulsar-compatible broker on a replicated ledger."""


def main() -> None:
    """Entry point of the `magnetar` script."""
    sys.exit(cli.main(standalone_mode=True))
