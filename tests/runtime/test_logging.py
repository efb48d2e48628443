"""Log lines for people and for machines."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from magnetar_runtime.logging import setup_logging


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def log_one_of_each(out: io.StringIO, *, as_json: bool) -> list[str]:
    setup_logging("INFO", json=as_json, out=out)
    log = logging.getLogger("magnetar_test")
    log.debug("hidden")
    log.info("topic %s opened", "t\u00e4")
    try:
        1 / 0  # noqa: B018
    except ZeroDivisionError:
        log.exception("failed")
    return out.getvalue().splitlines()


def test_plain_lines() -> None:
    lines = log_one_of_each(io.StringIO(), as_json=False)
    time, rest = lines[0].split(" ", 1)
    assert rest == "INFO magnetar_test: topic t\u00e4 opened"
    assert time.endswith("Z")
    assert len(time) == len("2026-01-31T12:00:00.123Z")
    assert lines[1].endswith("ERROR magnetar_test: failed")
    assert lines[-1].startswith("ZeroDivisionError")


def test_json_lines() -> None:
    first, second = map(json.loads, log_one_of_each(io.StringIO(), as_json=True))
    assert first["message"] == "topic t\u00e4 opened"
    assert (first["level"], first["logger"]) == ("INFO", "magnetar_test")
    assert "trace" not in first
    assert "ZeroDivisionError" in second["trace"]


def test_a_second_set_up_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    setup_logging(out=first)
    setup_logging(out=second)
    logging.getLogger("magnetar_test").info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1
