"""`magnetar ledger delete`."""

import json

from click.testing import CliRunner
from magnetar_cli.main import cli

from tests.cli.bookie_threads import BookieThreads


def test_it_asks_first(bookies: BookieThreads) -> None:
    ledger = str(bookies.written(10))
    command = ["ledger", "delete", ledger, "-md", bookies.url]
    result = CliRunner().invoke(cli, command, input="n\n")
    assert result.exit_code == 1
    assert f"delete ledger {ledger} (CLOSED, 10 entries, 10 bytes) for good? [y/N]" in result.output
    assert f"ledger {ledger} was not deleted" in result.output
    assert bookies.run("ledger", "show", ledger)[0] == 0
    assert CliRunner().invoke(cli, command, input="y\n").exit_code == 0
    assert bookies.run("ledger", "show", ledger)[0] == 1


def test_it_can_be_told_before(bookies: BookieThreads) -> None:
    ledgers = [bookies.written(1), bookies.written(1, close=False)]
    assert bookies.run("ledger", "delete", str(ledgers[0]), "-o", "json")[0] == 2
    code, output = bookies.run("ledger", "delete", str(ledgers[0]), "--yes", "-o", "json")
    assert (code, json.loads(output)) == (0, {"ledger": ledgers[0], "deleted": True})
    code, output = bookies.run("ledger", "delete", str(ledgers[1]), "-y")
    assert (code, output) == (0, f"ledger {ledgers[1]} is deleted\n")
    code, output = bookies.run("ledger", "delete", str(ledgers[1]), "-y")
    assert (code, output) == (1, f"Error: NoSuchLedger: ledger {ledgers[1]}\n")
