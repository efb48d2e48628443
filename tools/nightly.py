"""Runs the full counts in chunks that can be stopped, spread and merged.

    python tools/nightly.py                        all chunks that are not done yet
    python tools/nightly.py --shard 2/4 --minutes 60
    python tools/nightly.py --only kill
    python tools/nightly.py --merge other.json     take over what another machine did

`tests/nightly.toml` lists the parts: a test (a pytest node id), how often it runs in all (`count`)
and how often per chunk (`chunk`), and the environment variables that tell it the count and the seed
(`count_variable`, `seed_variable`). A chunk is one pytest run, so a failure is repeated with the
seed that the result names. Chunks are recorded one by one in `docs/nightly.json` under the source
they ran on (a digest of the product's and the tests' trees): a second start goes on where the first
stopped, and a change of the source begins anew.
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PARTS_FILE = ROOT / "tests" / "nightly.toml"
RESULT_FILE = ROOT / "docs" / "nightly.json"
SOURCE_FOLDERS = (
    "proto", "runtime", "metadata", "storage", "ledger", "broker", "client", "cli", "tests",
)  # fmt: skip
SEED_STEP = 1_000_000
NO_TESTS_COLLECTED = 5

Result = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One test and how often it runs."""

    name: str
    test: str
    count: int
    chunk: int
    count_variable: str
    seed_variable: str

    def chunk_count(self, number: int) -> int:
        """How often the test runs in chunk `number`; the last one may be smaller."""
        return min(self.chunk, self.count - number * self.chunk)

    @property
    def chunks(self) -> int:
        return -(-self.count // self.chunk)


def read_parts(text: str) -> list[Part]:
    """The parts listed in a TOML text, each under its name."""
    return [Part(name=name, **fields) for name, fields in tomllib.loads(text).items()]


def open_chunks(
    parts: list[Part], done: Result, shard: int, shards: int
) -> Iterator[tuple[Part, int]]:
    """What this shard has to do, in turns through the parts so that none starves."""
    for number in range(max((part.chunks for part in parts), default=0)):
        for part in parts:
            mine = number < part.chunks and number % shards == shard - 1
            if mine and str(number) not in done.get(part.name, {}):
                yield part, number


def merged(first: Result, second: Result) -> Result:
    """The chunks of both results of one source; a failure is never covered by a pass."""
    if first.get("source") != second.get("source"):
        raise ValueError("the results are of different sources")
    chunks = {name: dict(rows) for name, rows in first["chunks"].items()}
    for name, rows in second["chunks"].items():
        mine = chunks.setdefault(name, {})
        for number, row in rows.items():
            if number not in mine or not row["passed"]:
                mine[number] = row
    return {**first, "chunks": chunks}


def summary(parts: list[Part], chunks: Result) -> list[str]:
    """A line per part: done of wanted, and what failed."""
    lines = []
    for part in parts:
        rows = chunks.get(part.name, {})
        count = sum(row["count"] for row in rows.values() if row["passed"])
        failed = [f"seed {row['seed']}" for row in rows.values() if not row["passed"]]
        lines.append(f"{part.name}: {count:,} of {part.count:,} passed")
        if failed:
            lines[-1] += f", FAILED with {', '.join(failed)}"
    return lines


def source_id() -> str:
    """A digest of the committed source; refuses to count what is not committed."""
    changed = _git("status", "--porcelain", "--", *SOURCE_FOLDERS)
    if changed:
        sys.exit(f"nightly counts are for committed source; not committed:\n{changed}")
    listing = _git("ls-tree", "HEAD", "--", *SOURCE_FOLDERS)
    return hashlib.sha256(listing.encode()).hexdigest()[:16]


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def load_result(path: Path, source: str) -> Result:
    """The recorded result, or an empty one if there is none of this source."""
    if path.exists():
        result: Result = json.loads(path.read_text())
        if result["source"] == source:
            return result
    return {"source": source, "commit": _git("rev-parse", "HEAD").strip(), "chunks": {}}


def save_result(path: Path, result: Result) -> None:
    """Replace the file in one step: a kill in between leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps(result, indent=1, sort_keys=True) + "\n")
    scratch.replace(path)


def run_chunk(part: Part, number: int) -> Result:
    """One pytest run; what it prints goes to the terminal."""
    count, seed = part.chunk_count(number), SEED_STEP + number * part.chunk
    command = [sys.executable, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"]
    told = {part.count_variable: str(count), part.seed_variable: str(seed)}
    began = time.monotonic()
    code = subprocess.run(
        [*command, part.test], cwd=ROOT, env=os.environ | told, check=False
    ).returncode
    if code == NO_TESTS_COLLECTED:
        sys.exit(f"{part.name}: {part.test} is no test")
    return {
        "count": count,
        "passed": code == 0,
        "seed": seed,
        "seconds": round(time.monotonic() - began, 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def run_open_chunks(parts: list[Part], result: Result, options: argparse.Namespace) -> None:
    """Run until all is done or the minutes are over; each chunk is recorded at once."""
    shard, shards = map(int, options.shard.split("/"))
    deadline = time.monotonic() + options.minutes * 60 if options.minutes else float("inf")
    for part, number in list(open_chunks(parts, result["chunks"], shard, shards)):
        if time.monotonic() > deadline:
            print("the minutes are over; the next start goes on here")
            return
        print(f"--- {part.name}: chunk {number + 1} of {part.chunks}", flush=True)
        result["chunks"].setdefault(part.name, {})[str(number)] = run_chunk(part, number)
        save_result(options.out, result)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shard", default="1/1", help="i/n: every n-th chunk, from the i-th on")
    parser.add_argument("--minutes", type=float, default=0, help="begin no chunk after; 0 = no end")
    parser.add_argument("--only", action="append", help="name of a part; may be repeated")
    parser.add_argument("--merge", type=Path, help="a result of another machine to take over")
    parser.add_argument("--out", type=Path, default=RESULT_FILE, help="where results are kept")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    parts = read_parts(PARTS_FILE.read_text())
    result = load_result(options.out, source_id())
    if options.merge:
        result = merged(result, json.loads(options.merge.read_text()))
        save_result(options.out, result)
    else:
        chosen = [part for part in parts if not options.only or part.name in options.only]
        run_open_chunks(chosen, result, options)
    print(*summary(parts, result["chunks"]), sep="\n")
    passed = [row["passed"] for rows in result["chunks"].values() for row in rows.values()]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
