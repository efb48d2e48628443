"""`magnetar metadata copy` between directories; into ZooKeeper in tests/interop."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from magnetar_cli.main import cli
from magnetar_cli.metadata_command import progress_printer
from magnetar_metadata.ledger_layout import LAYOUT
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.metadata_url import open_store
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.directory_lock import lock_directory

from tests.metadata.clocks import ManualClock


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["metadata", "copy", *arguments])
    return result.exit_code, result.output


def fill(url: str) -> None:
    async def run() -> None:
        async with open_store(url, SystemClock(), make_root=True) as store:
            await LedgerRegistry(store).new_ledger_id()
            await store.create("/a", b"12345")

    asyncio.run(run())


def write(url: str, path: str, value: bytes) -> None:
    async def run() -> None:
        async with open_store(url, SystemClock()) as store:
            await store.create(path, value)

    asyncio.run(run())


def test_a_directory_is_copied_once(tmp_path: Path) -> None:
    source, target = f"sqlite:{tmp_path}/old", f"sqlite:{tmp_path}/new"
    fill(source)
    code, output = run(source, target)
    assert code == 0, output
    assert output.startswith(
        "copied 3 nodes with 5 bytes (3 made, 0 overwritten); all read back and are equal\n"
        "new ledgers begin at 2; instance id "
    )
    code, output = run(source, target)
    assert code == 1
    assert output.startswith("Error: /a: the target has metadata already; --into-non-empty copies")
    code, output = run(source, target, "--into-non-empty", "-o", "json")
    assert code == 0, output
    facts = json.loads(output)
    assert (facts["nodes"], facts["made"], facts["replaced"], facts["verified"]) == (3, 0, 0, 3)
    assert len(facts["instance_id"]) == 36


@pytest.mark.parametrize("laid_out", ["old", "new"])
def test_ledgers_that_stand_elsewhere_are_not_copied(tmp_path: Path, laid_out: str) -> None:
    for name in ("old", "new"):
        fill(f"sqlite:{tmp_path}/{name}")
    write(f"sqlite:{tmp_path}/{laid_out}", "/ledgers/LAYOUT", LAYOUT + b"1")
    write(f"sqlite:{tmp_path}/old", "/b", b"")
    code, output = run(f"sqlite:{tmp_path}/old", f"sqlite:{tmp_path}/new", "--into-non-empty")
    assert (code, "HierarchicalLedgerManagerFactory:11" in output) == (1, True)
    write(f"sqlite:{tmp_path}/new", "/b", b"")  # nothing was copied


def test_a_running_standalone_is_not_copied(tmp_path: Path) -> None:
    fill(f"sqlite:{tmp_path}/old")
    lock = lock_directory(f"{tmp_path}/old")
    code, output = run(f"sqlite:{tmp_path}/old", f"sqlite:{tmp_path}/new")
    lock.release()
    assert (code, "stop the standalone first" in output) == (3, True)
    assert not (tmp_path / "new").exists()


def test_wrong_stores(tmp_path: Path) -> None:
    assert run(f"sqlite:{tmp_path}", f"sqlite:{tmp_path}")[0] == 2
    assert run(f"sqlite:{tmp_path}", "nowhere")[0] == 2
    code, output = run(f"sqlite:{tmp_path}/none", f"sqlite:{tmp_path}/new")
    assert (code, "there is no such file" in output) == (1, True)


def test_long_work_is_told_once_a_second() -> None:
    clock, lines = ManualClock(), list[str]()
    progress = progress_printer(clock, lines.append)
    progress("read", 1, 0)
    clock.now_ms += 1000
    progress("read", 2, 0)
    progress("read", 3, 0)
    clock.now_ms += 1000
    progress("written", 4, 10)
    assert lines == ["read: 2", "written: 4 of 10"]
