"""What the commands that use a ledger client share."""

import json

import pytest
from magnetar_cli.ledger_access import show_rows


def test_rows_as_a_table_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"a": 1, "b": None}, {"a": 22, "b": "x"}]
    show_rows("text", ("one", "two"), rows)
    assert capsys.readouterr().out == "one  two\n1    -\n22   x\n"
    show_rows("json", ("one", "two"), rows)
    assert json.loads(capsys.readouterr().out) == rows
    show_rows("text", ("one", "two"), [])
    assert capsys.readouterr().out == "one  two\n"
