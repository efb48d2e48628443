"""The package as its users have it: small, light to import, complete in its exports."""

import json
import subprocess
import sys

import magnetar
import pytest

SIZE_LIMIT_BYTES = 500_000
BARE_IMPORT_LIMIT_MS = 150  # of `import magnetar`; the rest is loaded when it is first used
IMPORT_LIMIT_MS = 300  # with the client: what others of a shared machine do is in it
RUNS = 5

OF_OTHERS = {
    *("email", "http", "importlib.metadata", "json", "sqlite3", "urllib.request", "uuid"),
    *("aiohttp", "click", "cramjam", "fastavro", "lmdb", "lz4", "orjson", "uvloop", "zstandard"),
}
"""What costs time or is no base dependency: nobody needs it who only has a client."""

OF_FEATURES = {
    *("magnetar.consumer", "magnetar.dead_letters", "magnetar.producer", "magnetar.reader"),
    *("magnetar.schema", "magnetar.sync", "magnetar.table_view", "magnetar.testing"),
    *("magnetar.web_client", "magnetar.web_directory", "magnetar.web_messages"),
}
"""Of the SDK: what is loaded by those who use it."""

BELOW = {
    *("magnetar_proto", "magnetar_proto.commands", "magnetar_proto.crc", "magnetar_proto.errors"),
    *("magnetar_proto.frames", "magnetar_proto.payloads", "magnetar_proto.pulsar_api_pb2"),
    *("magnetar_proto.receive_buffer", "magnetar_proto.varints"),
    *("magnetar_runtime", "magnetar_runtime.clock", "magnetar_runtime.network"),
    "magnetar_runtime.scope",
}
"""All that a client loads of the two packages that it shares with the services."""

LOOK = """
import os, sys, time
began = time.process_time()
import magnetar
bare_ms = (time.process_time() - began) * 1000
magnetar.Client, magnetar.ConsumerType
took_ms = (time.process_time() - began) * 1000
seen = {"bare_ms": bare_ms, "took_ms": took_ms, "modules": sorted(sys.modules)}
for name in magnetar.__all__:
    getattr(magnetar, name)
import magnetar.schema, magnetar.sync, magnetar.web_directory
own = ("magnetar", "magnetar_proto", "magnetar_runtime")
files = {n: m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] in own}
seen["roots"] = sorted({n.partition(".")[0] for n in sys.modules} - set(sys.stdlib_module_names))
seen["size"] = sum(map(os.path.getsize, files.values()))
import json
print(json.dumps(seen))
"""


def look() -> dict[str, object]:
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    seen: dict[str, object] = json.loads(done.stdout)
    return seen


def test_all_that_a_program_loads_is_small_and_needs_base_dependencies_only() -> None:
    seen = look()
    assert isinstance(seen["size"], int)
    assert 100_000 < seen["size"] < SIZE_LIMIT_BYTES
    assert isinstance(seen["roots"], list)
    foreign = {root for root in seen["roots"] if not root.startswith(("_", "magnetar", "sitec"))}
    assert foreign <= {"google", "fastcrc"}


def test_a_client_loads_nothing_that_it_does_not_need() -> None:
    modules = look()["modules"]
    assert isinstance(modules, list)
    loaded = set(modules)
    assert "magnetar.client" in loaded
    assert not loaded & (OF_OTHERS | OF_FEATURES)
    assert {name for name in loaded if name.startswith("magnetar_")} == BELOW


def test_the_import_is_quick() -> None:
    seen = [look() for _ in range(RUNS)]
    bare_ms = min(float(str(each["bare_ms"])) for each in seen)
    took_ms = min(float(str(each["took_ms"])) for each in seen)
    print(f"import magnetar: {bare_ms:.1f} ms of CPU; with Client: {took_ms:.1f} ms")
    assert bare_ms < BARE_IMPORT_LIMIT_MS
    assert took_ms < IMPORT_LIMIT_MS


def test_what_is_exported_is_there() -> None:
    assert set(magnetar.__all__) <= set(dir(magnetar))
    for name in magnetar.__all__:
        assert getattr(magnetar, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Clinet'"):
        _ = magnetar.Clinet
