"""How far a command is: a bar on a terminal, now and then a line in a pipe; figures at the end."""

import json
from collections.abc import Mapping
from typing import Any, Final, TextIO

_BAR_CELLS: Final = 30
_TERMINAL_INTERVAL_S: Final = 0.2
_PIPE_INTERVAL_S: Final = 10.0


class Progress:
    """Writes to stderr, so that results stay alone on stdout."""

    def __init__(self, stream: TextIO, began_s: float, total: int = 0) -> None:
        """Args:
        stream: where to write.
        began_s: the time now.
        total: messages at the end; 0 if that is not known.
        """
        self._stream = stream
        self._terminal = stream.isatty()
        self._total = total
        self._began_s = self._shown_s = began_s
        self._shown = 0
        self._interval_s = _TERMINAL_INTERVAL_S if self._terminal else _PIPE_INTERVAL_S

    def show(self, count: int, now_s: float) -> None:
        """Tell the state, if it is time to."""
        passed_s = now_s - self._shown_s
        if passed_s < self._interval_s:
            return
        rate = (count - self._shown) / passed_s
        self._shown, self._shown_s = count, now_s
        line = f"{count:,} messages, {rate:,.0f}/s, {now_s - self._began_s:.0f} s"
        if not self._terminal:
            self._stream.write(line + "\n")
        elif self._total:
            cells = min(_BAR_CELLS, _BAR_CELLS * count // self._total)
            bar = "█" * cells + "░" * (_BAR_CELLS - cells)
            self._stream.write(f"\r{bar} {100 * count // self._total:3} %  {line}\033[K")
        else:
            self._stream.write(f"\r{line}\033[K")
        self._stream.flush()

    def end(self) -> None:
        """Leave a clean line."""
        if self._terminal:
            self._stream.write("\r\033[K")
            self._stream.flush()


def report(figures: Mapping[str, Any], *, as_json: bool, terminal: bool) -> str:
    """Figures at the end: JSON, a table for people, or a line `name value` each."""
    if as_json:
        return json.dumps(figures)
    if not terminal:
        return "\n".join(f"{name} {value}" for name, value in figures.items())
    width = max(map(len, figures), default=0)
    return "\n".join(
        f"{name.replace('_', ' '):{width}}  {_for_people(value):>14}"
        for name, value in figures.items()
    )


def _for_people(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if value < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
