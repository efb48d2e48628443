"""Writes docs/http.md and docs/endpoints.md from the table of HTTP calls, or checks them.

    python tools/generate_http_reference.py           write them
    python tools/generate_http_reference.py --check   exit 1 when one is not current

`tools/pulsar_endpoints.txt` has every admin call of Apache Pulsar 4.0.7: methods and paths as its
classes are annotated.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from magnetar_broker.http.api import GROUPS, route_table
from magnetar_broker.http.route_table import Row, bare, plain, variables

ROOT = Path(__file__).resolve().parent.parent
HTTP = ROOT / "docs" / "http.md"
ENDPOINTS = ROOT / "docs" / "endpoints.md"
PULSAR = ROOT / "tools" / "pulsar_endpoints.txt"
GENERATED = "<!-- made by tools/generate_http_reference.py: change the table of calls instead -->"

WHY_ABSENT = (
    (r"/v2/non-persistent/.*/\{topic\}/", "Pulsar refuses it for this domain, or nothing is kept"),
    (r"/functions|/worker|/sinks?|/sources?|/packages", "no functions, connectors and packages"),
    (r"/admin/v3/transactions", "no transactions yet"),
    (r"[sS]chema", "no schema registry yet"),
    (r"[oO]ffload", "ledgers are not offloaded"),
    (r"compaction", "topics are not compacted yet"),
    (r"shadowTopics|replicatorDispatchRate|replicatedSub|/peers|/migrat", "no geo-replication"),
    (
        r"failureDomain|namespaceIsolation|[aA]ntiAffinity|bookieAffinity",
        "placement is not by hand",
    ),
    (r"entryFilters", "they are classes of Java"),
    (r"mbeans|allocator-stats|bookieops|broker-stats/metrics", "of a Java process; see `/metrics`"),
    (r"", "not built yet"),
)
"""The first expression that is found in `METHOD path` says why a call is not there."""


def reference(rows: Sequence[Row]) -> str:
    """The page of our own calls."""
    lines = [
        GENERATED,
        "# HTTP calls",
        "",
        'One server, port 8080 (`webServicePort`). Errors are `{"reason": ...}` with their status;',
        "success without data is 204. The same table as a document for programs: `/openapi.json`.",
        "[endpoints.md](endpoints.md) says of each call of Apache Pulsar whether it works here.",
        '`{topic}` is URL-encoded. "Who" is what a caller has to be once authorisation is on.',
    ]
    for group in GROUPS:
        mine = {row.key for row in group.table()}
        lines += ["", f"## {group.title}", ""]
        lines += ["| call | what | query | body | who |", "|---|---|---|---|---|"]
        lines += [_line(row) for row in rows if row.key in mine]
    return "\n".join([*lines, ""])


def _line(row: Row) -> str:
    what = row.summary + (" (ours)" if row.ours else "")
    query = ", ".join(f"`{each.name}`" for each in row.query)
    body = "" if row.body is None else _kind(row.body)
    call = f"`{row.method} {_readable(row.path)}`"
    return f"| {call} | {what} | {query} | {body} | {row.permission.value} |"


def _kind(shape: object) -> str:
    assert isinstance(shape, dict)
    if "anyOf" in shape:
        return " or ".join(dict.fromkeys(_kind(each) for each in shape["anyOf"]))
    return str(shape.get("type", "anything"))


def _readable(path: str) -> str:
    both = variables(path).get("domain", "").replace("|", ",")
    return plain(path).replace("{domain}", f"{{{both}}}") if both else plain(path)


def endpoints(rows: Sequence[Row], pulsar: Sequence[str]) -> str:
    """What becomes of each call of Pulsar."""
    here = {key: row for row in rows for key in _keys(row)}
    states = [(*call.split(" ", 1), *_state(call, here)) for call in pulsar]
    works = sum(state == "works" for *_, state, _ in states)
    differs = sum(state == "differs" for *_, state, _ in states)
    absent = len(states) - works - differs
    lines = [
        GENERATED,
        "# Apache Pulsar's admin calls",
        "",
        f"All {len(states)} of Pulsar 4.0.7: {works} work, {differs} differ, {absent} are absent.",
        "What the working ones do is measured by",
        "`tests/broker/http/` and `tests/interop/test_admin_session.py`.",
    ]
    for base, part in groupby(states, key=lambda state: "/".join(state[1].split("/")[:4])):
        lines += ["", f"## `{base}`", "", "| call | here |", "|---|---|"]
        lines += _lines(base, list(part))
    return "\n".join([*lines, ""])


def _lines(base: str, states: Sequence[tuple[str, str, str, str]]) -> list[str]:
    notes = {(state, note) for _, _, state, note in states}
    if len(notes) == 1 and len(states) > 3 and next(iter(notes))[0] == "absent":
        note = next(iter(notes))[1]
        return [f"| all {len(states)} below `{base}` | absent: {note} |"]
    return [
        f"| `{method} {path}` | {state}{f': {note}' if note else ''} |"
        for method, path, state, note in states
    ]


def _keys(row: Row) -> list[tuple[str, str]]:
    """A row of both domains counts for both of Pulsar's paths."""
    domains = variables(row.path).get("domain", "")
    if not row.path.startswith("/admin/v2/{domain") or not domains:
        return [row.key]
    rest = row.path.partition("}")[2]
    return [(row.method, bare(f"/admin/v2/{each}{rest}")) for each in domains.split("|")]


def _state(call: str, here: dict[tuple[str, str], Row]) -> tuple[str, str]:
    method, path = call.split(" ", 1)
    row = here.get((method, bare(path)))
    if row is not None:
        return ("differs", row.differs) if row.differs else ("works", "")
    return "absent", next(why for found, why in WHY_ABSENT if re.search(found, call))


def pages() -> dict[Path, str]:
    """What the pages are to be."""
    rows = route_table()
    calls = PULSAR.read_text().splitlines()
    return {HTTP: reference(rows), ENDPOINTS: endpoints(rows, calls)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    check = parser.parse_args().check
    stale = [
        path for path, text in pages().items() if not path.exists() or path.read_text() != text
    ]
    for path in stale:
        print(f"stale: {path.name}; run {Path(__file__).name}" if check else f"wrote {path.name}")
        if not check:
            path.write_text(pages()[path])
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
