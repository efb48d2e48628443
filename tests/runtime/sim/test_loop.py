"""The loop on virtual time: what it keeps of asyncio, what it draws, what it refuses."""

import asyncio
import gc
import signal
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from magnetar_runtime.errors import DeadlockError, NotSimulatedError, SimulationLimitError
from magnetar_runtime.sim import CALM, LoopShape, SimLoop

ROUGH = LoopShape(turn_max_us=100, late_max_us=1_000)


def run(main: Coroutine[Any, Any, Any], seed: int = 0, **options: Any) -> Any:
    with asyncio.Runner(loop_factory=lambda: SimLoop(seed, **options)) as runner:
        return runner.run(main)


def outcomes(main: Callable[[], Coroutine[Any, Any, Any]], seeds: int = 30) -> set[Any]:
    """What a program gives under many seeds."""
    return {run(main(), seed, shape=ROUGH) for seed in range(seeds)}


async def _order_of_timers() -> str:
    order: list[str] = []
    for name in "abc":
        asyncio.get_running_loop().call_later(1, order.append, name)
    await asyncio.sleep(2)
    return "".join(order)


async def _order_of_tasks() -> str:
    order: list[str] = []
    gate = asyncio.Event()

    async def enter(name: str) -> None:
        await gate.wait()
        order.append(name)

    async with asyncio.TaskGroup() as group:
        for name in "abc":
            group.create_task(enter(name))
        await asyncio.sleep(0.1)
        gate.set()
    return "".join(order)


async def _order_of_callbacks() -> str:
    order: list[str] = []
    loop = asyncio.get_running_loop()
    for name in "abcdef":
        loop.call_soon(order.append, name)
    await asyncio.sleep(0.1)
    return "".join(order)


def test_time_jumps_to_the_next_timer() -> None:
    async def main() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    assert run(main(), shape=CALM) == 86_400


@pytest.mark.parametrize("program", [_order_of_timers, _order_of_tasks])
def test_due_timers_and_woken_tasks_come_in_every_order(program: Any) -> None:
    assert len(outcomes(program, 60)) == 6


def test_callbacks_keep_their_order() -> None:
    assert outcomes(_order_of_callbacks) == {"abcdef"}


def test_a_callback_between_two_tasks_stays_between_them() -> None:
    """Who schedules a callback and then wakes a task may count on their order."""

    async def main() -> str:
        order: list[str] = []
        loop = asyncio.get_running_loop()
        gates = [loop.create_future() for _ in range(2)]

        async def enter(gate: asyncio.Future[None], name: str) -> None:
            await gate
            order.append(name)

        async with asyncio.TaskGroup() as group:
            for gate, name in zip(gates, "ac", strict=True):
                group.create_task(enter(gate, name))
            await asyncio.sleep(0.1)
            gates[0].set_result(None)
            loop.call_soon(order.append, "b")
            gates[1].set_result(None)
        return "".join(order)

    assert outcomes(main) == {"abc"}


def test_a_timer_is_never_early_and_at_most_its_lateness_late() -> None:
    async def main() -> float:
        await asyncio.sleep(1)
        return asyncio.get_running_loop().time()

    times = outcomes(main)
    assert len(times) > 20
    assert all(1 <= time <= 1.0022 for time in times)


@pytest.mark.parametrize("program", [_order_of_timers, _order_of_tasks])
def test_a_calm_loop_does_as_asyncio_does(program: Any) -> None:
    assert {run(program(), seed, shape=CALM) for seed in range(20)} == {"abc"}


def test_polling_lets_time_pass() -> None:
    async def main() -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, ended.set)
        while not ended.is_set():
            await asyncio.sleep(0)

    run(main(), shape=LoopShape(turn_max_us=100))


def test_a_deadlock_names_who_waits_and_where() -> None:
    async def wait_for_ever() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        await wait_for_ever()

    with pytest.raises(DeadlockError, match=r"waiting: .*wait_for_ever \(.*test_loop.py:\d+\)"):
        run(main())


@pytest.mark.parametrize(("limit", "value"), [("max_turns", 1_000), ("max_time_s", 60)])
def test_what_never_ends_is_ended(limit: str, value: int) -> None:
    cleaned_up: list[bool] = []

    async def main() -> None:
        try:
            while True:
                await asyncio.sleep(1)
        finally:
            await asyncio.sleep(5)
            cleaned_up.append(True)

    with pytest.raises(SimulationLimitError):
        run(main(), **{limit: value})
    assert cleaned_up


def test_tasks_that_are_done_do_not_pile_up() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        most = 0
        for _ in range(100):
            await asyncio.gather(*(asyncio.sleep(0) for _ in range(100)))
            most = max(most, len(loop._tasks))
        return most

    assert run(main()) < 2_000


def test_tasks_live_until_they_are_done() -> None:
    """asyncio itself holds them weakly, and would let the collector end this one."""

    async def main() -> list[str]:
        done: list[str] = []

        async def work() -> None:
            await asyncio.Event().wait()

        async def finish() -> None:
            await asyncio.sleep(1)
            done.append("finished")

        loop = asyncio.get_running_loop()
        for _ in range(3_000):
            loop.create_task(asyncio.sleep(0))  # noqa: RUF006
        loop.create_task(work())  # noqa: RUF006
        loop.create_task(finish())  # noqa: RUF006
        gc.collect()
        await asyncio.sleep(2)
        assert len(asyncio.all_tasks()) == 2
        return done

    assert run(main()) == ["finished"]


def test_cancelled_timers_are_forgotten() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        for _ in range(1_000):
            loop.call_later(1_000, print).cancel()
            await asyncio.sleep(0.001)
        return len(loop._timers)

    assert run(main(), shape=CALM) < 300


@pytest.mark.parametrize(
    "ask",
    [
        lambda loop: loop.run_in_executor(None, print),
        lambda loop: loop.create_server(asyncio.Protocol, "127.0.0.1", 0),
        lambda loop: loop.create_connection(asyncio.Protocol, "127.0.0.1", 1),
        lambda loop: loop.getaddrinfo("localhost", 1),
        lambda loop: loop.sock_recv(None, 1),
        lambda loop: loop.add_reader(0, print),
        lambda loop: loop.subprocess_exec(asyncio.Protocol, "true"),
        lambda loop: loop.add_signal_handler(signal.SIGTERM, print),
    ],
)
def test_the_real_machine_is_refused(ask: Callable[[Any], Any]) -> None:
    async def main() -> None:
        with pytest.raises(NotSimulatedError, match=r"loop\.\w+: the simulated machine has no"):
            ask(asyncio.get_running_loop())

    run(main())


def test_a_thread_may_not_call_in() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        caught: list[BaseException] = []

        def call() -> None:
            try:
                loop.call_soon_threadsafe(print)
            except NotSimulatedError as error:
                caught.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        assert len(caught) == 1
        called = asyncio.Event()
        loop.call_soon_threadsafe(called.set)
        await called.wait()

    run(main())


def test_a_failure_ends_the_run_at_once() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        loop.call_later(1, loop.fail, ValueError("broken"))
        await asyncio.sleep(2)

    with pytest.raises(ValueError, match="broken"):
        run(main())


def test_the_trace_tells_who_ran() -> None:
    async def main() -> list[str]:
        await asyncio.sleep(1)
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        return loop.trace.tail()

    [first, timer, second] = run(main(), shape=CALM)
    assert first.startswith("0 task 0 test_the_trace_tells_who_ran")
    assert timer == "1000000000 _set_result_unless_cancelled"
    assert second.startswith("1000000000 task 0 ")
