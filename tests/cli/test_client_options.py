"""Failures of a client in one line, with the right exit code."""

import pytest
from click.testing import CliRunner
from magnetar_cli.main import cli

from bench.ports import free_port


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, list(arguments))
    return result.exit_code, result.output


def test_an_address_that_cannot_be_is_named() -> None:
    code, output = run("produce", "t", "-m", "x", "--url", "http:/nowhere")
    assert code == 1
    assert output.startswith("Error: ")
    assert "http:/nowhere" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("text", ["x", "=x"])
def test_a_property_without_a_name_is_refused(text: str) -> None:
    code, output = run("produce", "t", "-m", "x", "-p", text)
    assert code == 2
    assert "is not NAME=VALUE" in output


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from magnetar.extras import MissingExtraError
    from magnetar_cli import client_options
    from magnetar_cli.exits import WrongSettingsError

    async def work(_: object) -> None:
        raise MissingExtraError("lz4 needs the library lz4: pip install lz4")

    url = f"pulsar://127.0.0.1:{free_port()}"
    with pytest.raises(WrongSettingsError, match="pip install"):
        client_options.run_with_client(work, client_options.Connection(url))


def test_a_key_without_its_certificate_is_refused() -> None:
    code, output = run("produce", "t", "-m", "x", "--tls-key", __file__)
    assert code == 2
    assert "--tls-cert is missing" in output


def test_a_token_is_not_shown() -> None:
    from magnetar_cli.client_options import Connection

    assert "secret" not in repr(Connection("pulsar://a", auth_token="secret"))
