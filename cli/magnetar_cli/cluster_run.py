"""`magnetar cluster run`: a whole cluster on this machine, for trying out and for tests."""

import json
import os
import random
import shutil
import socket
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

import click
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.errors import ConfError, DirectoryLockedError

from magnetar_cli.cluster_plan import (
    CLUSTER,
    HOST,
    ChildPlan,
    ClusterPlan,
    ClusterWish,
    plan_cluster,
    ports_needed,
    service_urls,
)
from magnetar_cli.exits import CommandFailedError, DirectoryInUseError, WrongSettingsError
from magnetar_cli.metadata_access import HELP, url_of
from magnetar_cli.zookeeper_search import (
    Machine,
    NoZooKeeperError,
    ZooKeeperProgram,
    find_zookeeper,
)

_ZOOKEEPER_HEAP_MB: Final = 256


def _url_or_none(context: click.Context, parameter: click.Parameter, text: str | None) -> Any:
    if text is None:
        return None
    url = url_of(context, parameter, text)
    if url.kind != "zk":
        raise click.BadParameter("the processes of a cluster meet in ZooKeeper only")
    return url


@click.command("run", context_settings=HELP)
@click.option("--brokers", type=click.IntRange(1, 16), default=2, show_default=True)
@click.option("--bookies", type=click.IntRange(1, 16), default=3, show_default=True)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("cluster-data"),
    show_default="./cluster-data",
    help="All data, configurations and logs.",
)
@click.option(
    "--metadata-store",
    "url",
    metavar="URL",
    callback=_url_or_none,
    help="zk:HOST:PORT[/ROOT] of a ZooKeeper that runs; without it one is started.",
)
@click.option(
    "--base-port",
    type=click.IntRange(1024, 65_000),
    help="Ports from here on: brokers (binary, HTTP), bookies, ZooKeeper. Else free ones.",
)
@click.option("--set-broker", "broker_keys", multiple=True, metavar="KEY=VALUE", help="Of brokers.")
@click.option("--set-bookie", "bookie_keys", multiple=True, metavar="KEY=VALUE", help="Of bookies.")
@click.option(
    "--restart/--no-restart", default=True, show_default=True, help="Start again what dies."
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form.")
def run(
    brokers: int,
    bookies: int,
    data_dir: Path,
    url: Any,
    base_port: int | None,
    broker_keys: Sequence[str],
    bookie_keys: Sequence[str],
    restart: bool,
    output: str,
) -> None:
    """Run a ZooKeeper, bookies and brokers on this machine, for trying out and for tests.

    Each is a process of its own, as on a cluster of machines, and listens on 127.0.0.1. ZooKeeper
    is Apache's, found in ZOOKEEPER_HOME, else by zkServer.sh in PATH, else where Debian and
    Homebrew install it; it needs Java. A process that dies is told of and started again. Kill one
    and see.

    Ends with 0 after SIGTERM or SIGINT, when all processes have ended in order (a second one kills
    them at once), 1 if there is no ZooKeeper or something does not start, 2 if the command line is
    wrong, 3 if another process uses the data directory. Nothing outlives it, after kill -9 neither.
    """
    from magnetar_runtime.logging import setup_logging

    began_ns = SystemClock().monotonic_ns()
    setup_logging("WARNING", json=output == "json")
    wish = ClusterWish(
        brokers=brokers,
        bookies=bookies,
        data_directory=os.fspath(data_dir.resolve()),
        metadata_url=str(url) if url else "",
        ledgers_root=url.ledgers_root if url else "/ledgers",
        broker_settings=_assignments(broker_keys),
        bookie_settings=_assignments(bookie_keys),
    )
    program = None if url else _found_zookeeper()
    plan = plan_cluster(wish, iter(_ports(base_port, ports_needed(wish))))
    try:
        _run(plan, wish.data_directory, program, began_ns, output, restart=restart)
    except DirectoryLockedError as error:
        raise DirectoryInUseError(str(error)) from error


def _assignments(keys: Sequence[str]) -> Mapping[str, str]:
    from magnetar_runtime.conf import from_assignments

    try:
        return from_assignments(keys)
    except ConfError as error:
        raise WrongSettingsError(str(error)) from error


def _found_zookeeper() -> ZooKeeperProgram:
    try:
        return find_zookeeper(this_machine())
    except NoZooKeeperError as error:
        raise CommandFailedError(str(error)) from error


def this_machine() -> Machine:
    """What is installed here."""

    def jars(directory: str) -> list[str]:
        return [each.name for each in Path(directory).glob("*.jar")]

    def program(name: str) -> str | None:
        found = shutil.which(name)
        return os.path.realpath(found) if found else None

    return Machine(os.environ, jars, os.path.isfile, program)


def _ports(base: int | None, how_many: int) -> list[int]:
    if base is not None:
        return [port for port, _ in zip(count(base), range(how_many), strict=False)]
    return list(_free_ports(how_many))


def _free_ports(how_many: int) -> Iterator[int]:
    """All are held until the last is drawn, so that none comes twice."""
    probes = [socket.socket() for _ in range(how_many)]
    try:
        for probe in probes:
            probe.bind((HOST, 0))
            yield probe.getsockname()[1]
    finally:
        for probe in probes:
            probe.close()


def _run(
    plan: ClusterPlan,
    data_directory: str,
    program: ZooKeeperProgram | None,
    began_ns: int,
    output: str,
    *,
    restart: bool,
) -> None:
    import asyncio

    from magnetar_runtime.directory_lock import lock_directory

    from magnetar_cli.child_group import ChildGroup
    from magnetar_cli.local_cluster import running_cluster
    from magnetar_cli.serve import OnFailure, Serving, run_service

    @asynccontextmanager
    async def opening(failed: OnFailure, before_serving: Callable[[], None]) -> Any:
        async with AsyncExitStack() as stack:
            lock = lock_directory(data_directory)
            stack.callback(lock.release)
            group = stack.enter_context(closing(ChildGroup()))
            tiers = _children(plan, program, group)
            made = partial(_make_metadata, plan)
            pids = {child.plan.name: child for tier in tiers for child in tier}
            await stack.enter_async_context(running_cluster(tiers, made, failed, restart=restart))
            before_serving()
            stack.callback(shown.clear)
            shown.extend(_row(each, pids[each.name].pid) for each in plan.children)
            facts = {"metadata": plan.metadata_url, "data": data_directory}
            yield Serving(service_urls(plan), [], facts)

    shown: list[dict[str, Any]] = []

    def ready(line: str, facts: dict[str, Any]) -> None:
        if output == "json":
            click.echo(json.dumps({**facts, "processes": shown}))
        else:
            click.echo("\n".join([line, *_table(shown)]))

    run_service("cluster", opening, began_ns, ready, asyncio.new_event_loop)


def _children(plan: ClusterPlan, program: ZooKeeperProgram | None, group: Any) -> list[list[Any]]:
    """By tier."""
    from magnetar_runtime.conf import keys_of
    from magnetar_runtime.settings_bookie import BookieServiceSettings
    from magnetar_runtime.settings_service import BrokerServiceSettings

    from magnetar_cli.child_group import without_settings
    from magnetar_cli.child_process import Child

    kinds = (BookieServiceSettings, BrokerServiceSettings)
    keys = {row.key for kind in kinds for row in keys_of(kind)}
    environment = without_settings(os.environ, keys)

    def child(each: ChildPlan) -> Child:
        return Child(each, _command(each, program), environment, group)

    zookeeper = [plan.zookeeper] if plan.zookeeper else []
    return [[child(each) for each in tier] for tier in (zookeeper, plan.bookies, plan.brokers)]


def _command(plan: ChildPlan, program: ZooKeeperProgram | None) -> list[str]:
    if plan.arguments:
        # -P: a directory of a user's own must not take the place of a package.
        return [sys.executable, "-P", "-m", "magnetar_cli", *plan.arguments]
    assert program is not None
    return program.command(plan.directory, f"{plan.directory}/zoo.cfg", _ZOOKEEPER_HEAP_MB)


async def _make_metadata(plan: ClusterPlan) -> None:
    """As `magnetar cluster init`; what is there already stays.

    Raises:
        MetadataError: ZooKeeper does not answer, or does not let it.
    """
    from magnetar_metadata.cluster_metadata import NewCluster, init_cluster
    from magnetar_metadata.metadata_url import parse_metadata_url

    from magnetar_cli.metadata_access import opened

    url = parse_metadata_url(plan.metadata_url)
    broker = plan.brokers[0]
    cluster = NewCluster(
        name=CLUSTER,
        web_service_url=f"http://{HOST}:{broker.web_port}",
        broker_service_url=f"pulsar://{broker.address}",
        ledgers_root=url.ledgers_root,
    )
    instance_id = str(uuid.UUID(int=random.Random().getrandbits(128), version=4))
    async with opened(url, make_root=True) as store:
        await init_cluster(store, cluster, instance_id)


def _row(plan: ChildPlan, pid: int) -> dict[str, Any]:
    http = f"http://{HOST}:{plan.web_port}" if plan.web_port else ""
    return {
        "name": plan.name,
        "pid": pid,
        "address": plan.address,
        "http": http,
        "log": plan.log_path,
    }


def _table(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    from magnetar_cli.ledger_command import table

    return table([list(rows[0]), *([str(cell) for cell in row.values()] for row in rows)])
