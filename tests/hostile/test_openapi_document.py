"""Requests that schemathesis draws from the OpenAPI document get no 5xx, and break nothing.

`make fuzz` runs it, with schemathesis in an environment of its own: its plugin for pytest and its
packages are no business of the other tests. Traversal, huge, cut and slow requests are drawn by
`tests/broker/http/test_fuzz.py`.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from bench.servers import ROOT, Magnetar, get

pytestmark = pytest.mark.nightly

PROGRAM: Final = Path(os.environ.get("SCHEMATHESIS", ROOT / ".venv-fuzz/bin/schemathesis"))
OF_EACH: Final = int(os.environ.get("FUZZ_OF_EACH", "12"))
"""Cases for each of some 300 operations, of each kind of names."""
CASES: Final = OF_EACH * 166
TIMEOUT_S: Final = 900.0
CHECKS: Final = """
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 501, 503]
"""
"""501 says that a thing is not built; 503, as Pulsar, that the broker has no such listener, or that
a topic is on its way: drawn requests delete and unload what others use."""
KNOWN_NAMES: Final = """
[parameters]
"path.domain" = "persistent"
"path.tenant" = "public"
"path.namespace" = "default"
"path.topic" = "t"
"path.subscription" = "s"
"query.listenerName" = ""
"""


@pytest.mark.parametrize("settings", ["", KNOWN_NAMES], ids=["any", "known"])
def test_no_request_of_the_document_is_a_server_error(tmp_path: Path, settings: str) -> None:
    (tmp_path / "schemathesis.toml").write_text(CHECKS + settings)
    broker = Magnetar(tmp_path / "broker")
    broker.start()
    try:
        url = f"{broker.web_url}/openapi.json"
        chosen = ["--phases", "fuzzing", "--checks", "not_a_server_error", "--seed", "1"]
        chosen += ["-n", str(OF_EACH), "--exclude-path-regex", "/ws/|/events", "--no-color"]
        done = subprocess.run(
            [str(PROGRAM), "run", url, *chosen],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert get(broker.web_port, "/admin/v2/brokers/health")[0] == 200
    finally:
        broker.stop()
    failures = done.stdout.partition("= FAILURES =")[2] or done.stdout
    assert done.returncode == 0, failures[:5000] + done.stderr[-2000:]
    drawn = re.search(r"(\d+) generated", done.stdout)
    assert drawn is not None
    assert int(drawn[1]) >= CASES
