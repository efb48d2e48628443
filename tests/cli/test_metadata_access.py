"""What goes wrong with a metadata store ends a command with one line and the right code."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from magnetar_cli import metadata_access
from magnetar_cli.metadata_access import metadata_store_option, run_with_store
from magnetar_metadata.errors import NoNodeError
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.directory_lock import lock_directory

from bench.ports import free_port


def run(url: str, work: Callable[[MetadataStore], Awaitable[object]]) -> tuple[int, str]:
    @click.command()
    @metadata_store_option
    def command(url: MetadataUrl) -> None:
        click.echo(run_with_store(url, work))

    result = CliRunner().invoke(command, ["--metadata-store", url])
    return result.exit_code, result.output


async def names(store: MetadataStore) -> object:
    return await store.children("/")


def test_a_directory_without_a_store(tmp_path: Path) -> None:
    code, output = run(f"sqlite:{tmp_path}", names)
    assert (code, "there is no such file" in output) == (1, True)


def test_a_directory_in_use(tmp_path: Path) -> None:
    (tmp_path / "metadata.sqlite").touch()
    lock = lock_directory(str(tmp_path))
    code, output = run(f"sqlite:{tmp_path}", names)
    lock.release()
    assert (code, output.endswith("stop the standalone first\n")) == (3, True)


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata_access, "CONNECT_TIMEOUT_MS", 100)
    code, output = run(f"zk:127.0.0.1:{free_port()}", names)
    assert code == 1
    assert output.startswith("Error: cannot reach the metadata store: 127.0.0.1:")
    assert output.count("\n") == 1


def test_a_node_that_is_missing(tmp_path: Path) -> None:
    async def fail(_: MetadataStore) -> object:
        raise NoNodeError("/a", "is missing")

    (tmp_path / "metadata.sqlite").touch()
    assert run(f"sqlite:{tmp_path}", fail) == (1, "Error: /a: is missing\n")
