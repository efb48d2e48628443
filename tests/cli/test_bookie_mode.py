"""Modes that an operator gives a bookie, where they cannot be kept or told."""

from pathlib import Path
from typing import Any

import pytest
from magnetar_cli import bookie_mode
from magnetar_cli.bookie_mode import BookieMode
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.settings_bookie import BookieServiceSettings
from magnetar_runtime.system_disk import SystemDisk


class Bookie:
    """Only its mode."""

    def __init__(self) -> None:
        self.read_only = self.asked_read_only = False

    def ask_read_only(self, asked: bool) -> None:
        self.read_only = self.asked_read_only = asked


class Registration:
    """Remembers what is to be told, and never manages to."""

    def __init__(self) -> None:
        self.said: list[bool] = []

    def set_read_only(self, read_only: bool) -> None:
        self.said.append(read_only)

    async def told(self, timeout_ms: int) -> bool:
        return False


def mode_in(directories: list[str], **settings: Any) -> tuple[BookieMode, Any]:
    bookie: Any = Bookie()
    values = BookieServiceSettings(**settings)
    return BookieMode(bookie, values, directories, SystemDisk(), SystemClock()), bookie


async def test_it_holds_though_it_can_be_neither_kept_nor_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mode, bookie = mode_in([str(tmp_path / "away")], persist_status=True)
    registration: Any = Registration()
    mode.registration = registration
    await mode.set_read_only(True)
    assert bookie.read_only
    assert registration.said == [True]
    assert "a restart will forget" in caplog.text
    assert "the cluster is not told yet" in caplog.text


async def test_before_it_is_registered_it_is_told_nobody(tmp_path: Path) -> None:
    mode, bookie = mode_in([str(tmp_path)])
    await mode.set_read_only(True)
    mode.follow()
    assert bookie.read_only
    assert list(tmp_path.iterdir()) == []


async def test_a_forced_mode_is_not_read_from_the_directories(tmp_path: Path) -> None:
    mode, bookie = mode_in([str(tmp_path)], persist_status=True, force_read_only=True)
    await mode.begin()
    assert bookie.read_only
    assert mode.refusal(read_only=False)
    assert not mode.refusal(read_only=True)


def test_an_operator_does_not_wait_for_ever() -> None:
    assert bookie_mode.TELL_TIMEOUT_MS <= 10_000
