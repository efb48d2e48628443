"""`magnetar bookie decommission`: with real bookies in this process, and what is refused."""

import asyncio
import json
from pathlib import Path

from click.testing import CliRunner
from magnetar_cli.bookie_decommission import command
from magnetar_metadata.cluster_metadata import NewCluster, init_cluster
from magnetar_metadata.metadata_url import open_store
from magnetar_runtime.clock import SystemClock


def run(directory: Path, *arguments: str) -> tuple[int, str]:
    url = f"sqlite:{directory / 'metadata'}"
    result = CliRunner().invoke(command, ["-md", url, *arguments])
    return result.exit_code, result.output


async def init(directory: Path) -> None:
    url = f"sqlite:{directory / 'metadata'}"
    async with open_store(url, SystemClock(), make_root=True) as store:
        await init_cluster(store, NewCluster(name="test"), "8a3d4a40-0000-4000-8000-000000000001")


def test_a_bookie_that_no_ledger_needs_is_out_at_once(tmp_path: Path) -> None:
    asyncio.run(init(tmp_path))
    code, output = run(tmp_path, "b-1")
    assert (code, output) == (0, "0 ledgers need bookie b-1\nbookie b-1 is out of the cluster\n")
    code, output = run(tmp_path, "b-1", "-o", "json")
    assert (code, json.loads(output)) == (0, {"bookie": "b-1", "entriesCopied": 0})


def test_what_is_no_id_is_wrong(tmp_path: Path) -> None:
    asyncio.run(init(tmp_path))
    code, output = run(tmp_path, "a/b")
    assert code == 2
    assert "'a/b' cannot be the id" in output


def test_a_store_that_is_not_there_is_told(tmp_path: Path) -> None:
    code, output = run(tmp_path, "b-1")
    assert code == 1
    assert "no such file" in output
