"""`magnetar cluster init` on a store of a directory; on ZooKeeper in tests/interop."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from magnetar_cli.main import cli


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["cluster", "init", *arguments])
    return result.exit_code, result.output


def test_the_nodes_are_made_once(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/m"
    code, output = run("--metadata-store", url, "--cluster", "one", "-uw", "http://h:8080")
    assert code == 0, output
    assert "made /ledgers/INSTANCEID\n" in output
    last = output.splitlines()[-1]
    assert last.startswith("cluster one initialised; its instance id is ")
    code, output = run("--metadata-store", url, "--cluster", "one", "-uw", "http://h:8080")
    assert code == 0
    assert output == last.replace("initialised;", "was initialised already;") + "\n"


def test_facts_as_json(tmp_path: Path) -> None:
    url = f"sqlite:{tmp_path}/m"
    run("-md", url)
    code, output = run("-md", url, "-uw", "http://other:8080", "-o", "json")
    facts = json.loads(output)
    assert code == 0
    assert facts["cluster"] == "magnetar"
    assert len(facts["instance_id"]) == 36
    assert facts["made"] == facts["changed"] == []
    assert facts["different"] == ["/admin/clusters/magnetar"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "Missing option"),
        (("-md", "etcd:h:1"), 2, "is no metadata store"),
        (("-md", "memory:"), 2, "gone with the command"),
        (("-md", "sqlite:m", "-c", "a/b"), 2, "cannot be the name of a cluster"),
    ],
)
def test_what_is_wrong_is_said(arguments: tuple[str, ...], code: int, message: str) -> None:
    assert run(*arguments)[0] == code
    assert message in run(*arguments)[1]
