"""Work of the loop, counted in bytecodes instead of measured: the same on every machine."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, Self

from magnetar_runtime.sim import SimLoop, Trace

BYTECODE_NS: Final = 50
"""What one takes, about: some call a function that is written in C."""


class WorkMeter(Trace):
    """While entered, counts what the callbacks of a simulated loop do; its `clock` goes by that.

    Calls on workers are left out: they are made by other threads. So is the inside of functions in
    C, as a sort or a join: what is handed to one must be small by itself.

    Attributes:
        longest_ns: The most that one callback did.
        longest: Its name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.longest_ns = 0
        self.longest = ""
        self._bytecodes = self._begun = 0
        self._running = ""
        self._at_work = False

    def __enter__(self) -> Self:
        self._before = sys.gettrace()
        self._at_work = True
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    @property
    def work_ns(self) -> int:
        """All that was done so far."""
        return self._bytecodes * BYTECODE_NS

    def reset(self) -> None:
        """Look for a longest one anew."""
        self.longest_ns, self.longest = 0, ""

    def add(self, now_ns: int, text: str, data: bytes | bytearray | memoryview = b"") -> None:
        """The loop begins a callback, so the one before has ended."""
        took_ns = (self._bytecodes - self._begun) * BYTECODE_NS
        if took_ns > self.longest_ns:
            self.longest_ns, self.longest = took_ns, self._running
        self._begun, self._running = self._bytecodes, text
        super().add(now_ns, text, data)

    def apart(self, call: Callable[[], Any]) -> Any:
        """Make a call that is not counted."""
        self._at_work = False
        try:
            return call()
        finally:
            self._at_work = True

    def _called(self, frame: FrameType, _event: str, _argument: object) -> Any:
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._step

    def _step(self, _frame: FrameType, event: str, _argument: object) -> Any:
        if event == "opcode" and self._at_work:
            self._bytecodes += 1
        return self._step


class WorkClock:
    """A `Clock` that also goes on while a callback works."""

    def __init__(self, loop: SimLoop, meter: WorkMeter) -> None:
        self._loop = loop
        self._meter = meter

    def monotonic_ns(self) -> int:
        return self._loop.now_ns + self._meter.work_ns

    def wall_ms(self) -> int:
        return self.monotonic_ns() // 1_000_000
