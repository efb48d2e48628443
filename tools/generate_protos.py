"""Makes the generated modules next to the .proto files, or checks that they are current.

    python tools/generate_protos.py           write *_pb2.py and *_pb2.pyi
    python tools/generate_protos.py --check   compare bytes, exit 1 when one is stale

The generator has a virtual environment of its own in the user's cache directory: its version is
pinned because generated code must not be newer than the oldest protobuf runtime we allow, and it
must not force its own protobuf on the environment that runs this.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

GENERATOR = "grpcio-tools==1.76.0"
PACKAGE = "magnetar_proto"
ROOT = Path(__file__).resolve().parent.parent / "proto"


def generator_python() -> Path:
    """The interpreter of the generator's environment; makes it when it is not there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    home = cache / "magnetar" / GENERATOR.replace("==", "-")
    python = home / "bin" / "python"
    done = home / "installed"
    if not done.exists():
        venv.create(home, with_pip=True, clear=True)
        install = [str(python), "-m", "pip", "install", "--quiet", GENERATOR]
        subprocess.run(install, check=True)
        done.touch()
    return python


def generate(out: Path) -> dict[str, bytes]:
    """Run the generator into `out`; gives what it made by file name."""
    sources = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob(f"{PACKAGE}/*.proto"))
    command = [str(generator_python()), "-m", "grpc_tools.protoc", f"-I{ROOT}"]
    command += [f"--python_out={out}", f"--pyi_out={out}", *sources]
    subprocess.run(command, check=True)
    return {path.name: finished(path) for path in sorted((out / PACKAGE).iterdir())}


def finished(path: Path) -> bytes:
    """A generated file as we keep it: `mypy --strict` wants the arguments of generic types."""
    made = path.read_bytes()
    return made.replace(b"_Mapping]", b"_Mapping[str, object]]") if path.suffix == ".pyi" else made


def committed() -> dict[str, bytes]:
    """The generated files of the checkout by name."""
    return {path.name: path.read_bytes() for path in sorted((ROOT / PACKAGE).glob("*_pb2.py*"))}


def stale(made: dict[str, bytes], kept: dict[str, bytes]) -> list[str]:
    """Names of files that differ, are missing, or are left over."""
    return sorted(name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        made = generate(Path(scratch))
    names = stale(made, committed())
    for name in names:
        print(f"stale: {name}" if check else f"wrote {name}")
        if not check:
            target = ROOT / PACKAGE / name
            if name in made:
                target.write_bytes(made[name])
            else:
                target.unlink()
    return 1 if check and names else 0


if __name__ == "__main__":
    sys.exit(main())
