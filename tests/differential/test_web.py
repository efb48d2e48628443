"""The script of WebSocket and HTTP exchanges has the answers that were recorded of Apache Pulsar.

`make test` plays it on Magnetar; `make interop` on Apache Pulsar too, so that the file stays true.
Lines that begin with `>` are what Magnetar answers on purpose instead.
"""

from pathlib import Path

import pytest

from bench.servers import ApachePulsar, Magnetar
from tests.differential.record_web import SETTINGS, differences
from tests.differential.web_player import SCRIPT, is_exchange, read_script, write_script

LEAST_EXCHANGES = 85
MOST_DIFFERENT = 8


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(Magnetar, id="magnetar"),
        pytest.param(ApachePulsar, id="apache", marks=pytest.mark.interop),
    ],
)
def test_answers_are_those_of_the_script(
    kind: type[Magnetar] | type[ApachePulsar], tmp_path: Path
) -> None:
    pytest.importorskip("cramjam", reason="LZ4 needs the package cramjam")
    server = kind(tmp_path, SETTINGS)
    server.start()
    try:
        found = differences(server, ours=kind is Magnetar)
    finally:
        server.stop()
    assert not found, "\n".join(found)


def test_the_script_is_long_enough_and_nearly_the_same() -> None:
    text = SCRIPT.read_text()
    steps = read_script(text)
    assert write_script(steps) == text
    assert sum(map(is_exchange, steps)) >= LEAST_EXCHANGES
    assert sum(bool(step.ours) for step in steps) <= MOST_DIFFERENT
