"""What the commands that run a service share."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from magnetar_cli.exits import WrongSettingsError
from magnetar_cli.service_options import config_options, read_settings
from magnetar_runtime.settings_bookie import BookieServiceSettings


def test_later_sources_of_a_key_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = tmp_path / "bookkeeper.conf"
    conf.write_text("bookiePort=1\nzkTimeout=2\nrwRereplicateBackoffMs=3\n")
    monkeypatch.setenv("PULSAR_PREFIX_zkTimeout", "20")
    monkeypatch.setenv("rwRereplicateBackoffMs", "30")
    found = read_settings(BookieServiceSettings, conf, ["rwRereplicateBackoffMs=300"])
    assert (found.bookie_port, found.zk_timeout_ms, found.repair_pause_ms) == (1, 20, 300)
    found = read_settings(BookieServiceSettings, conf, ["zkTimeout=200"], {"zkTimeout": "2000"})
    assert found.zk_timeout_ms == 2000


def test_what_cannot_be_read_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(WrongSettingsError, match="zkTimeout"):
        read_settings(BookieServiceSettings, None, ["zkTimeout=soon"])
    with pytest.raises(WrongSettingsError):
        read_settings(BookieServiceSettings, tmp_path, [])


def test_options_stand_in_their_order() -> None:
    @click.command()
    @config_options("A file.")
    def command(**values: object) -> None:
        click.echo(values)

    shown = CliRunner().invoke(command, ["--help"]).output
    places = [shown.index(name) for name in ("--config", "--set", "--output", "--log-level")]
    assert places == sorted(places)
