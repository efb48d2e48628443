"""The SDK as a distribution of its own: all that it needs, nothing else, and small."""

import ast
import os
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fastcrc
import google
import pytest

from bench.servers import Server

ROOT = Path(__file__).resolve().parents[2]
HOMES = {"magnetar": "client", "magnetar_proto": "proto", "magnetar_runtime": "runtime"}
SIZE_LIMIT_BYTES = 500_000
TYPES_ONLY = {"magnetar_proto/py.typed", "magnetar_proto/pulsar_api_pb2.pyi"} | {
    "magnetar_runtime/py.typed"
}

PROGRAM = """
import asyncio, pkgutil, sys
sys.path[:0] = sys.argv[2:]
import magnetar
for found in pkgutil.walk_packages(magnetar.__path__, "magnetar."):
    __import__(found.name)
own = [m for n, m in sys.modules.items() if n.partition("_")[0].partition(".")[0] == "magnetar"]
assert all(m.__file__.startswith(sys.argv[2]) for m in own), own

async def main():
    async with magnetar.Client(sys.argv[1]) as client:
        consumer = await client.subscribe("distribution", "sub")
        producer = await client.create_producer("distribution")
        await producer.send(b"hello")
        print((await consumer.receive(timeout=10)).data().decode())

asyncio.run(main())
"""


def project(path: Path) -> Any:
    return tomllib.loads(path.read_text())


SDK = project(ROOT / "client" / "pyproject.toml")
WHOLE = project(ROOT / "pyproject.toml")


def source_of(module: str) -> Path | None:
    """Where a module of the three packages stands; None for others, and for names in modules."""
    home = HOMES.get(module.partition(".")[0])
    if home is None:
        return None
    base = ROOT / home / module.replace(".", "/")
    places = (base.with_suffix(".py"), base / "__init__.py")
    return next((place for place in places if place.exists()), None)


def imported(source: Path) -> Iterator[str]:
    """All that may be a module, wherever in the source it is imported."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def needed() -> set[str]:
    """The files below the SDK that it imports, by their names in the wheel."""
    own = [path for path in (ROOT / "client/magnetar").rglob("*.py") if "testing" not in path.parts]
    waiting = [module for path in own for module in imported(path)]
    seen: dict[Path, None] = {}
    while waiting:
        module = waiting.pop()
        source = source_of(module)
        if source is not None and source not in seen:
            seen[source] = None
            waiting += [module.rpartition(".")[0], *imported(source)]
    names = {"/".join(source.relative_to(ROOT).parts[1:]) for source in seen}
    return {name for name in names if not name.startswith("magnetar/")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an installation of the wheel has."""
    out = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(build, cwd=ROOT / "client", check=True, capture_output=True)
    [made] = out.glob("*.whl")
    with zipfile.ZipFile(made) as archive:
        archive.extractall(out / "installed")
    return out / "installed"


def test_it_says_the_same_as_the_whole() -> None:
    sdk, whole = SDK["project"], WHOLE["project"]
    for key in ("version", "requires-python", "license"):
        assert sdk[key] == whole[key]
    assert {*sdk["dependencies"], "click>=8.1"} == set(whole["dependencies"])
    for name, libraries in sdk["optional-dependencies"].items():
        assert whole["optional-dependencies"][name] == libraries


def test_it_lists_what_the_sdk_imports() -> None:
    listed = SDK["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert set(listed.values()) - TYPES_ONLY - {"magnetar/LICENSE"} == needed()
    assert set(listed.values()) >= TYPES_ONLY
    for source, target in listed.items():
        assert source == f"../{source.split('/')[1]}/{target}" or target == "magnetar/LICENSE"


def test_it_is_small(wheel: Path) -> None:
    sizes = {str(path.relative_to(wheel)): path.stat().st_size for path in wheel.rglob("*.py")}
    assert "magnetar/client.py" in sizes
    assert not [name for name in sizes if "testing" in name or "bookkeeper" in name]
    print(f"{len(sizes)} modules, {sum(sizes.values())} bytes")
    assert sum(sizes.values()) < SIZE_LIMIT_BYTES


def test_it_works_with_base_dependencies_only(
    wheel: Path, magnetar_server: Server, tmp_path: Path
) -> None:
    # -I and -S: no packages of this environment but those that are linked here.
    for package in (*google.__path__, *fastcrc.__path__):
        os.symlink(package, tmp_path / Path(package).name)
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, magnetar_server.service_url]
    done = subprocess.run(
        [*command, str(wheel), str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "hello\n", done.stderr
