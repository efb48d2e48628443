"""`magnetar cluster`: what a new one needs in its metadata store; a whole one on this machine."""

import json
import random
import uuid
from dataclasses import asdict

import click
from magnetar_metadata.cluster_metadata import InitReport, NewCluster, init_cluster
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore

from magnetar_cli.cluster_run import run
from magnetar_cli.exits import WrongSettingsError
from magnetar_cli.metadata_access import (
    HELP,
    metadata_store_option,
    output_option,
    run_with_store,
)


@click.group(context_settings=HELP)
def command() -> None:
    """Make what a new cluster needs in its metadata store; run a whole one on this machine."""


command.add_command(run)


@command.command("init", context_settings=HELP)
@metadata_store_option
@click.option("-c", "--cluster", "name", default="magnetar", show_default=True, help="Its name.")
@click.option("-uw", "--web-service-url", default="", help="For clusters that replicate from it.")
@click.option("-tw", "--web-service-url-tls", default="", help="The same with TLS.")
@click.option("-ub", "--broker-service-url", default="", help="Binary protocol, as pulsar://...")
@click.option("-tb", "--broker-service-url-tls", default="", help="The same with TLS.")
@click.option(
    "--initial-num-transaction-coordinators", "coordinators", type=click.IntRange(1), default=16
)
@output_option
def init(
    url: MetadataUrl,
    name: str,
    web_service_url: str,
    web_service_url_tls: str,
    broker_service_url: str,
    broker_service_url_tls: str,
    coordinators: int,
    output: str,
) -> None:
    """Make the nodes of a new cluster, those of BookKeeper and of Pulsar.

    What is there already stays as it is, so it may be called again. Bookies and brokers of Apache
    and of Magnetar find the same nodes.
    """
    if not name or "/" in name or name in (".", "..", "global"):
        raise WrongSettingsError(f"{name!r} cannot be the name of a cluster")
    cluster = NewCluster(
        name=name,
        web_service_url=web_service_url,
        web_service_url_tls=web_service_url_tls,
        broker_service_url=broker_service_url,
        broker_service_url_tls=broker_service_url_tls,
        transaction_coordinators=coordinators,
        ledgers_root=url.ledgers_root,
    )

    instance_id = str(uuid.UUID(int=random.Random().getrandbits(128), version=4))

    async def work(store: MetadataStore) -> InitReport:
        return await init_cluster(store, cluster, instance_id)

    report = run_with_store(url, work, make_root=True)
    if output == "json":
        click.echo(json.dumps({"cluster": name, **asdict(report)}))
    else:
        _print_report(name, report)


def _print_report(name: str, report: InitReport) -> None:
    for word, paths in (
        ("made", report.made),
        ("cluster added to", report.changed),
        ("left, though it differs:", report.different),
    ):
        for path in paths:
            click.echo(f"{word} {path}")
    state = "initialised" if report.made or report.changed else "was initialised already"
    click.echo(f"cluster {name} {state}; its instance id is {report.instance_id}")
