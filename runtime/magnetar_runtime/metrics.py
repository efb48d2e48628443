"""The registry as Prometheus text, made in slices so that the loop is never held up."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import Final

from magnetar_runtime.clock import Clock
from magnetar_runtime.counters import Counters, Family, Histogram, Rows
from magnetar_runtime.slices import Slices

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
CHUNK_CHARACTERS: Final = 64 * 1024
_ROWS_OF_A_PIECE: Final = 256


async def render(counters: Counters, clock: Clock) -> AsyncGenerator[str, None]:
    """The exposition text, chunk by chunk; other work gets its turn after each millisecond."""
    slices = Slices(clock)
    pieces: list[str] = []
    size = 0
    for piece in text_pieces(counters):
        pieces.append(piece)
        size += len(piece)
        if size >= CHUNK_CHARACTERS:
            yield "".join(pieces)
            pieces, size = [], 0
        await slices.breathe()
    if size:
        yield "".join(pieces)


def text_pieces(counters: Counters) -> Iterator[str]:
    """The text form in pieces, each of which takes far less than a slice; some are empty."""
    for family in counters.steps():
        if family is None:
            yield ""
            continue
        help_text = _escape(family.help, quotes=False)
        yield f"# HELP {family.name} {help_text}\n# TYPE {family.name} {family.kind.value}\n"
        if isinstance(family.samples, Rows):
            yield from _pieces_of_rows(family.name, family.samples)
        else:
            yield from _sample_lines(family)


def label_text(labels: Mapping[str, str]) -> str:
    """Labels as they stand behind a name, braces and all."""
    return "{" + label_pairs(labels) + "}" if labels else ""


def label_pairs(labels: Mapping[str, str]) -> str:
    """The same without braces, for who makes many label sets that begin alike."""
    pairs = (f'{name}="{_escape(value, quotes=True)}"' for name, value in labels.items())
    return ",".join(pairs)


def _pieces_of_rows(name: str, rows: Rows) -> Iterator[str]:
    for first in range(0, len(rows.values), _ROWS_OF_A_PIECE):
        end = first + _ROWS_OF_A_PIECE
        some = zip(rows.labels[first:end], rows.values[first:end], strict=True)
        yield "".join([f"{name}{labels} {value}\n" for labels, value in some])


def _sample_lines(family: Family) -> Iterator[str]:
    assert not isinstance(family.samples, Rows)
    for labels, value in family.samples:
        if isinstance(value, Histogram):
            yield from _histogram_lines(family.name, labels, value)
        else:
            yield f"{family.name}{label_text(labels)} {value}\n"


def _histogram_lines(name: str, labels: Mapping[str, str], value: Histogram) -> Iterator[str]:
    below = 0
    for bound, count in zip([*value.bounds, "+Inf"], value.cells, strict=True):
        below += count
        yield f"{name}_bucket{label_text({**labels, 'le': str(bound)})} {below}\n"
    yield f"{name}_sum{label_text(labels)} {value.total}\n"
    yield f"{name}_count{label_text(labels)} {below}\n"


def _escape(text: str, *, quotes: bool) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text
