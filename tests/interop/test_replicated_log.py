"""`examples/replicated_log.py` in two processes on Apache bookies: a takeover, and fencing."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from bench.servers import ROOT
from tests.interop.apache_bookies import ApacheBookies

pytestmark = pytest.mark.interop

EXAMPLE = ROOT / "examples" / "replicated_log.py"


class Log:
    """One process of the example."""

    def __init__(self, bookies: ApacheBookies, name: str) -> None:
        url = f"zk:127.0.0.1:{bookies.zookeeper_port}"
        self.process = subprocess.Popen(
            [sys.executable, str(EXAMPLE), url, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._line() == "ready"

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def close(self) -> int:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        return self.process.wait(30)


@pytest.fixture
def logs() -> Iterator[list[Log]]:
    made: list[Log] = []
    yield made
    for log in made:
        log.process.kill()
        log.close()


def test_takeover_and_fencing(apache_bookies: ApacheBookies, logs: list[Log]) -> None:
    first = Log(apache_bookies, "takeover")
    logs.append(first)
    for number in range(100):
        assert first.ask(f"set key{number % 10} {number}") == f"ok {number}"
    second = Log(apache_bookies, "takeover")
    logs.append(second)
    # The old one still runs and does not know; it must not tell anybody "ok".
    assert first.ask("set key0 lost").startswith("fenced ")
    assert first.process.wait(30) == 3
    for number in range(10):
        assert second.ask(f"get key{number}") == f"value {90 + number}"
    assert second.ask("get other") == "none"
    assert second.ask("set key0 kept") == "ok 0"
    second.process.kill()
    third = Log(apache_bookies, "takeover")
    logs.append(third)
    assert third.ask("get key0") == "value kept"
    assert third.ask("get key9") == "value 99"
    assert third.close() == 0
    logs.remove(third)
