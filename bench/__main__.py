"""`python -m bench [ROW ...]` measures; `python -m bench table` renders docs/performance.md.

Without rows, all are measured. PAIRS and SECONDS shorten it; `--short` only shows that all works.
"""

import argparse
import os
import shutil
import sys
from dataclasses import replace

from bench import report, results
from bench.row import Plan
from bench.rows import ROWS
from bench.runner import ORIENTATION, SYSTEMS, RowRunner, half_rate, is_available

DEFAULT_PAIRS = 3


def main() -> int:
    """Command line."""
    options = _options()
    if options.rows == ["table"]:
        return _table()
    unknown = sorted(set(options.rows) - set(ROWS))
    if unknown:
        print(f"no such row: {', '.join(unknown)}; there are {', '.join(ROWS)}", file=sys.stderr)
        return 2
    _measure(options)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"table, or of: {', '.join(ROWS)}")
    parser.add_argument("--short", action="store_true", help="seconds, one pair, nothing saved")
    parser.add_argument("--pairs", type=int, default=int(os.environ.get("PAIRS", DEFAULT_PAIRS)))
    parser.add_argument("--seconds", type=float, default=float(os.environ.get("SECONDS", "60")))
    parser.add_argument("--backlog-bytes", type=int, default=Plan.backlog_bytes)
    parser.add_argument(
        "--systems",
        type=lambda names: set(names.split(",")),
        default={"null", *SYSTEMS, *ORIENTATION},
        help="only these, separated by commas; ratios need magnetar and pulsar",
    )
    return parser.parse_args()


def _measure(options: argparse.Namespace) -> None:
    if options.short:
        plan, pairs = Plan.short(), 1
    else:
        warm_seconds = min(Plan.warm_seconds, options.seconds / 2)
        plan = Plan(options.seconds, warm_seconds=warm_seconds, backlog_bytes=options.backlog_bytes)
        pairs = options.pairs
    # Of its own, so that two benches at once do not wipe each other's data.
    plan = replace(plan, directory=plan.directory / f"run-{os.getpid()}")
    path = results.path_of_head()
    context = {
        "machine": results.describe_machine(plan.directory),
        "plan": {"pairs": pairs, "seconds": plan.seconds, "max_bytes": plan.max_bytes},
    }
    for name in set(ORIENTATION) & options.systems:
        if not is_available(name):
            print(f"left out: {name} (pip install {name})")
    measured = {name: row["runs"] for name, row in results.load(path)["rows"].items()}
    try:
        for name in options.rows or ROWS:
            row = ROWS[name]
            rate = half_rate(measured.get(row.paced_by, [])) if row.paced_by else 0.0
            its_plan = replace(plan, rate_per_s=rate)
            runs = measured[name] = RowRunner(row, its_plan, pairs, options.systems, _say).run()
            if not options.short:
                results.merge(path, name, runs, context)
    finally:
        shutil.rmtree(plan.directory, ignore_errors=True)
    if not options.short:
        print(f"results in bench/results/{path.name}; `python -m bench table` renders them")


def _say(text: str) -> None:
    print(text, flush=True)


def _table() -> int:
    path = results.newest()
    if path is None:
        print("no results in bench/results", file=sys.stderr)
        return 1
    report.write(results.with_older(results.load(path)), path)
    print(f"{report.PAGE.name} and {report.CHART.name} from {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
