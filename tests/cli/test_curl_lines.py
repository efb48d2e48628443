"""The lines of curl in the README and in docs/http-messages.md, run as they stand."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bench.servers import ROOT, Magnetar

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")


def _lines(name: str) -> str:
    """The first block of shell that has curl in it."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / name).read_text(), re.DOTALL)
    return next(block for block in blocks if "curl" in block)


@pytest.mark.parametrize("name", ["README.md", "docs/http-messages.md"])
def test_the_lines_work(tmp_path: Path, name: str) -> None:
    server = Magnetar(tmp_path)
    server.start()
    try:
        script = _lines(name).replace("localhost:8080", f"127.0.0.1:{server.web_port}")
        script = "set -e\n" + script.replace("curl ", "curl -sS --fail ")
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True
        )
    finally:
        server.stop()
    answers = done.stdout
    assert answers.count('"payload":"hello"') == 1, answers
    assert '"errorCode":0' in answers
    if "/acks" in script:
        assert '"acknowledged":1' in answers
