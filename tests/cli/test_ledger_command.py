"""`magnetar ledger list|show` on a store of a directory."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from magnetar_cli.main import cli
from magnetar_metadata.ledger_layout import LAYOUT
from magnetar_metadata.ledger_metadata import DigestType, LedgerMetadata, LedgerState, Segment
from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_metadata.metadata_url import open_store
from magnetar_runtime.clock import SystemClock

OPEN = LedgerMetadata(3, 3, 2, (Segment(0, ("a:1", "b:1", "c:1")),), password=b"secret")
CLOSED = LedgerMetadata(
    2,
    2,
    1,
    (Segment(0, ("a:1", "b:1")), Segment(7, ("a:1", "c:1"))),
    state=LedgerState.CLOSED,
    last_entry_id=18,
    length=90,
    digest_type=DigestType.HMAC,
    custom={"application": b"pulsar", "raw": b"\xff\x00"},
)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:{tmp_path}/m"

    async def fill() -> None:
        async with open_store(url, SystemClock(), make_root=True) as store:
            await LedgerRegistry(store).create(4, OPEN)
            await LedgerRegistry(store).create(2**40, CLOSED)
            await store.create("/ledgers/00/0000/L0009", b"garbage")
            await store.create("/ledgers/available/a:1", b"")

    asyncio.run(fill())
    return url


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["ledger", *arguments])
    return result.exit_code, result.output


def test_a_table_of_all(url: str) -> None:
    code, output = run("list", "-md", url)
    assert code == 0
    lines = output.splitlines()
    heads = "ledger  state       E/Qw/Qa  last entry  bytes  segments  bookies"
    assert lines[0].split() == heads.split()
    assert lines[1].split() == ["4", "OPEN", "3/3/2", "-", "-", "1", "a:1", "b:1", "c:1"]
    assert lines[2].split()[:2] == ["9", "unreadable"]
    assert lines[3].split() == f"{2**40} CLOSED 2/2/1 18 90 2 a:1 c:1".split()


def test_all_as_json(url: str) -> None:
    code, output = run("list", "-md", url, "-o", "json")
    ledgers = json.loads(output)
    assert code == 0
    assert [ledger["ledger"] for ledger in ledgers] == [4, 9, 2**40]
    assert ledgers[0]["last_entry"] is None
    assert "secret" not in output
    assert ledgers[2] == {
        "ledger": 2**40,
        "state": "CLOSED",
        "ensemble_size": 2,
        "write_quorum": 2,
        "ack_quorum": 1,
        "last_entry": 18,
        "bytes": 90,
        "digest": "HMAC",
        "password": False,
        "created_ms": None,
        "segments": [
            {"first_entry": 0, "bookies": ["a:1", "b:1"]},
            {"first_entry": 7, "bookies": ["a:1", "c:1"]},
        ],
        "custom": {"application": "pulsar", "raw": "0xff00"},
        "version": 0,
    }


def test_one_in_full(url: str) -> None:
    code, output = run("show", str(2**40), "-md", url)
    assert code == 0
    rows = dict(line.split("  ", 1) for line in output.splitlines())
    assert {key.strip(): value.strip() for key, value in rows.items()} == {
        "ledger": str(2**40),
        "state": "CLOSED",
        "E/Qw/Qa": "2/2/1",
        "last entry": "18",
        "bytes": "90",
        "digest": "HMAC",
        "metadata version": "0",
        "from entry 0": "a:1 b:1",
        "from entry 7": "a:1 c:1",
        "application": "pulsar",
        "raw": "0xff00",
    }
    assert "CRC32C, with a password" in run("show", "4", "-md", url)[1]
    assert json.loads(run("show", "4", "-md", url, "-o", "json")[1])["password"] is True


def test_what_cannot_be_shown(url: str) -> None:
    assert run("show", "5", "-md", url) == (1, "Error: there is no ledger 5\n")
    code, output = run("show", "9", "-md", url)
    assert (code, output.startswith("Error: ledger 9: ledger metadata")) == (1, True)
    assert run("show", "-1", "-md", url)[0] == 2
    assert run("list")[0] == 2


@pytest.mark.parametrize("arguments", [("list",), ("show", "4")])
def test_ledgers_that_stand_elsewhere_are_not_called_absent(
    url: str, arguments: tuple[str, ...]
) -> None:
    async def lay_out_otherwise() -> None:
        async with open_store(url, SystemClock()) as store:
            await store.create("/ledgers/LAYOUT", LAYOUT + b"1")

    asyncio.run(lay_out_otherwise())
    code, output = run(*arguments, "-md", url)
    assert (code, "the ledgers are laid out by" in output) == (1, True)


def test_no_ledgers_are_an_empty_table(tmp_path: Path) -> None:
    CliRunner().invoke(cli, ["cluster", "init", "-md", f"sqlite:{tmp_path}/m"])
    code, output = run("list", "-md", f"sqlite:{tmp_path}/m")
    assert (code, output.count("\n")) == (0, 1)
    assert run("list", "-md", f"sqlite:{tmp_path}/m", "-o", "json") == (0, "[]\n")
