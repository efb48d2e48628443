"""An event loop on virtual time, which draws by seed what asyncio leaves open."""

import asyncio
import heapq
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from functools import partial
from itertools import groupby
from typing import Any, Final, TypeVarTuple

from magnetar_runtime.errors import DeadlockError, NotSimulatedError, SimulationLimitError
from magnetar_runtime.sim.draws import LoopShape, stream
from magnetar_runtime.sim.trace import Trace

MAX_TURNS: Final = 20_000_000
MAX_TIME_S: Final = 30 * 24 * 3600.0
_TURNS_TO_CLEAN_UP: Final = 100_000
_NS_TO_CLEAN_UP: Final = 3600 * 1_000_000_000
_FORGET_TASKS_AT: Final = 1_000
_FORGET_TIMERS_AT: Final = 100
Arguments = TypeVarTuple("Arguments")


class SimLoop(asyncio.BaseEventLoop):
    """Runs asyncio's own tasks and futures; only time, order and the machine are simulated.

    Time passes when nothing is ready: it jumps to the next timer. Callbacks of `call_soon` run in
    the order in which they were given, as asyncio promises. Which of several due timers, and which
    of several tasks that were woken one after another, comes first is drawn. What belongs to the
    real machine (threads, sockets, processes, signals) raises `NotSimulatedError`.

    An instance serves wherever asyncio takes a loop factory, as `asyncio.Runner` and pytest-asyncio
    do; `magnetar_runtime.sim.run` puts a network, clocks and a seed around it.

    Args:
        seed: decides everything that is drawn here.
        shape: how far the loop uses its freedom.
        trace: told of everything that runs; a new one by default.
        max_turns, max_time_s: where a simulation that does not end is ended.

    Attributes:
        seed, trace: as above.
        now_ns: Virtual time since the start.

    Raises:
        DeadlockError: (running it) nothing will ever happen again; says who waits.
        SimulationLimitError: (running it) the limits are reached; says who waits.
    """

    # What BaseEventLoop has and its stubs do not tell.
    _ready: deque[asyncio.Handle]
    _stopping: bool
    _thread_id: int | None
    _timer_cancelled_count: int

    def __init__(
        self,
        seed: int = 0,
        shape: LoopShape | None = None,
        *,
        trace: Trace | None = None,
        max_turns: int = MAX_TURNS,
        max_time_s: float = MAX_TIME_S,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.trace = trace or Trace()
        self.now_ns = 0
        self._shape = shape or LoopShape()
        self._rng = stream(seed, "loop")
        self._turns_left = max_turns
        self._max_ns = round(max_time_s * 1e9)
        self._bug: BaseException | None = None
        # Strong, as asyncio keeps tasks weakly and the collector's moments are no part of a seed.
        self._tasks: dict[asyncio.Task[Any], int] = {}
        self._next_task = self._next_timer = 0
        # By instant, then by age. As tuples, since a heap compares a million times a run.
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._forget_tasks_at = _FORGET_TASKS_AT

    def time(self) -> float:
        """Virtual seconds since the start."""
        return self.now_ns / 1e9

    def fail(self, error: BaseException) -> None:
        """End the run with this error when the callback under way has returned."""
        self._bug = self._bug or error

    def create_task(
        self, coro: Generator[Any, None, Any] | Coroutine[Any, Any, Any], **options: Any
    ) -> asyncio.Task[Any]:
        """As in asyncio; the loop keeps the task until it is done."""
        number = self._next_task
        self._next_task += 1
        task: asyncio.Task[Any] = super().create_task(coro, **options)
        self._tasks[task] = number
        if len(self._tasks) >= self._forget_tasks_at:
            self._tasks = {task: n for task, n in self._tasks.items() if not task.done()}
            self._forget_tasks_at = max(_FORGET_TASKS_AT, 2 * len(self._tasks))
        return task

    def call_at(
        self,
        when: float,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As in asyncio."""
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, (when, self._next_timer, timer))
        self._next_timer += 1
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def call_soon_threadsafe(
        self,
        callback: Callable[[*Arguments], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """`call_soon`, from the thread of the loop only."""
        if self._thread_id not in (None, threading.get_ident()):
            raise NotSimulatedError(
                "a thread called into the simulated loop; pass a simulated worker instead"
            )
        return self.call_soon(callback, *args, context=context)

    # One turn. BaseEventLoop.run_forever calls this, under this name, since Python 3.4.

    def _run_once(self) -> None:
        if not self._turns_left:
            raise self._too_much("turns")
        self._turns_left -= 1
        self._pass_time()
        ready = self._ready
        ready.extend(self._due_timers())
        if self._shape.shuffled and len(ready) > 1:
            self._shuffle_tasks()
        for _ in range(len(ready)):
            handle = ready.popleft()
            if handle.cancelled():
                continue
            self.trace.add(self.now_ns, self._label(handle))
            handle._run()
            if self._bug is not None:
                bug, self._bug = self._bug, None
                raise bug

    def _pass_time(self) -> None:
        """A turn with something to do takes a moment; else time jumps to the next timer."""
        if self._ready or self._stopping:
            self.now_ns += self._drawn_ns(self._shape.turn_max_us)
        else:
            self._forget_cancelled()
            if not self._timers:
                waiting = _who_waits(list(self._tasks))
                raise DeadlockError(f"nothing will ever happen again; {waiting}")
            due_ns = round(self._timers[0][0] * 1e9)
            self.now_ns = max(self.now_ns, due_ns) + self._drawn_ns(self._shape.late_max_us)
        if self.now_ns > self._max_ns:
            raise self._too_much("virtual time")

    def _too_much(self, what: str) -> SimulationLimitError:
        # Whoever ends the tasks now, as asyncio.Runner does, needs some more.
        self._turns_left += _TURNS_TO_CLEAN_UP
        self._max_ns = self.now_ns + _NS_TO_CLEAN_UP
        waiting = _who_waits(list(self._tasks))
        return SimulationLimitError(f"the simulation took more {what} than it may; {waiting}")

    def _drawn_ns(self, max_us: int) -> int:
        if not max_us:
            return 0
        # What `randrange` does, at half its cost.
        count = max_us * 1000 + 1
        bits = count.bit_length()
        drawn = self._rng.getrandbits(bits)
        while drawn >= count:
            drawn = self._rng.getrandbits(bits)
        return drawn

    def _due_timers(self) -> list[asyncio.TimerHandle]:
        due = []
        end = self.time() + 1e-9
        while self._timers and self._timers[0][0] < end:
            due.append(self._pop_timer())
        if self._shape.shuffled and len(due) > 1:
            self._rng.shuffle(due)
        return due

    def _pop_timer(self) -> asyncio.TimerHandle:
        _, _, handle = heapq.heappop(self._timers)
        handle._scheduled = False  # type: ignore[attr-defined]
        if handle.cancelled():
            self._timer_cancelled_count -= 1
        return handle

    def _forget_cancelled(self) -> None:
        while self._timers and self._timers[0][2].cancelled():
            self._pop_timer()
        if self._timer_cancelled_count > max(_FORGET_TIMERS_AT, len(self._timers) // 2):
            self._timers = [timer for timer in self._timers if not timer[2].cancelled()]
            heapq.heapify(self._timers)
            self._timer_cancelled_count = 0

    def _shuffle_tasks(self) -> None:
        """Tasks change places with neighbours only: a callback between two of them stays there."""
        order: list[asyncio.Handle] = []
        for is_task, group in groupby(self._ready, lambda handle: _task_of(handle) is not None):
            run = list(group)
            if is_task and len(run) > 1:
                # By number first: they may have been woken in the order of a set, which is that of
                # addresses and differs from process to process.
                run.sort(key=self._number)
                self._rng.shuffle(run)
            order += run
        self._ready.clear()
        self._ready.extend(order)

    def _number(self, handle: asyncio.Handle) -> int:
        task = _task_of(handle)
        return -1 if task is None else self._tasks.get(task, -1)

    def _label(self, handle: asyncio.Handle) -> str:
        task = _task_of(handle)
        if task is None:
            return _name_of(handle._callback)  # type: ignore[attr-defined]
        return f"task {self._number(handle)} {_name_of(task.get_coro())}"


def _task_of(handle: asyncio.Handle) -> asyncio.Task[Any] | None:
    """The task that this handle steps or wakes, found as asyncio's debug output finds it."""
    owner = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
    return owner if isinstance(owner, asyncio.Task) else None


def _name_of(thing: Any) -> str:
    while isinstance(thing, partial):
        thing = thing.func
    return str(getattr(thing, "__qualname__", type(thing).__qualname__))


def _who_waits(tasks: list[asyncio.Task[Any]]) -> str:
    waiting = [f"{task.get_name()} in {_where(task)}" for task in tasks if not task.done()]
    return "waiting: " + ("; ".join(waiting) or "no task")


def _where(task: asyncio.Task[Any]) -> str:
    """The innermost coroutine that waits, as `name (file:line)`."""
    inner: Any = task.get_coro()
    while getattr(inner, "cr_await", None) is not None and hasattr(inner.cr_await, "cr_frame"):
        inner = inner.cr_await
    frame = getattr(inner, "cr_frame", None)
    if frame is None:
        return _name_of(inner)
    return f"{_name_of(inner)} ({frame.f_code.co_filename}:{frame.f_lineno})"


_REFUSED: Final = {
    "threads": ("run_in_executor", "set_default_executor", "getaddrinfo", "getnameinfo"),
    "sockets": (
        "add_reader", "add_writer", "remove_reader", "remove_writer", "connect_accepted_socket",
        "create_connection", "create_datagram_endpoint", "create_server", "create_unix_connection",
        "create_unix_server", "sendfile", "sock_accept", "sock_connect", "sock_recv",
        "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendfile",
        "sock_sendto", "start_tls",
    ),
    "processes": ("connect_read_pipe", "connect_write_pipe", "subprocess_exec", "subprocess_shell"),
    "signals": ("add_signal_handler", "remove_signal_handler"),
}  # fmt: skip


def _refusal(kind: str, name: str) -> Callable[..., Any]:
    def refuse(self: SimLoop, *args: Any, **options: Any) -> Any:
        raise NotSimulatedError(f"loop.{name}: the simulated machine has no {kind} of its own")

    return refuse


for _kind, _names in _REFUSED.items():
    for _name in _names:
        setattr(SimLoop, _name, _refusal(_kind, _name))
