"""The registry as Prometheus text, made in slices so that the loop is never held up."""

import asyncio
from collections.abc import Iterator, Mapping

from magnetar_runtime.clock import Clock
from magnetar_runtime.counters import Counters, Family, Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SLICE_NS = 1_000_000


async def render(counters: Counters, clock: Clock) -> str:
    """The exposition text; other work gets its turn after each millisecond."""
    lines: list[str] = []
    slice_end_ns = clock.monotonic_ns() + SLICE_NS
    for line in text_lines(counters):
        lines.append(line)
        if clock.monotonic_ns() >= slice_end_ns:
            await asyncio.sleep(0)
            slice_end_ns = clock.monotonic_ns() + SLICE_NS
    lines.append("")
    return "\n".join(lines)


def text_lines(counters: Counters) -> Iterator[str]:
    """The lines of the text format, without line ends."""
    for family in counters.families():
        yield f"# HELP {family.name} {_escape(family.help, quotes=False)}"
        yield f"# TYPE {family.name} {family.kind.value}"
        yield from _sample_lines(family)


def _sample_lines(family: Family) -> Iterator[str]:
    for labels, value in family.samples:
        if isinstance(value, Histogram):
            yield from _histogram_lines(family.name, labels, value)
        else:
            yield f"{family.name}{_label_text(labels)} {value}"


def _histogram_lines(name: str, labels: Mapping[str, str], value: Histogram) -> Iterator[str]:
    below = 0
    for bound, count in zip([*value.bounds, "+Inf"], value.cells, strict=True):
        below += count
        yield f"{name}_bucket{_label_text({**labels, 'le': str(bound)})} {below}"
    yield f"{name}_sum{_label_text(labels)} {value.total}"
    yield f"{name}_count{_label_text(labels)} {below}"


def _label_text(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    pairs = (f'{name}="{_escape(value, quotes=True)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}"


def _escape(text: str, *, quotes: bool) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
