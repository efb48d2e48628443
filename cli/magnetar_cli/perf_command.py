"""`magnetar perf produce|consume`: load, and how fast it went."""

import asyncio
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import click
from magnetar import Client, InitialPosition, Producer, Timeout
from magnetar_runtime.clock import SystemClock

from magnetar_cli.client_options import HELP, client_options, connection_of, run_with_client
from magnetar_cli.consume_command import POSITIONS, TYPES
from magnetar_cli.latencies import Latencies
from magnetar_cli.pacing import Pace
from magnetar_cli.produce_command import COMPRESSIONS
from magnetar_cli.progress import Progress, report

_SEND_SLICE: Final = 100
_IDLE_S: Final = 0.2

_clock = SystemClock()


def _now_s() -> float:
    return _clock.monotonic_ns() / 1e9


def _limits(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--output", "-o", type=click.Choice(("text", "json")), default="text", help="Figures."
        ),
        click.option("--test-duration", "-time", type=click.FloatRange(0), default=0, help="In s."),
        click.option(
            "--num-messages", "-m", type=click.IntRange(0), default=0, help="0: no bound."
        ),
    ):
        function = option(function)
    return function


@click.group(context_settings=HELP)
def command() -> None:
    """Produce or consume as fast as it goes, and say how fast that was."""


@command.command("produce", context_settings=HELP)
@click.argument("topic")
@click.option("--rate", "-r", type=click.FloatRange(0), default=0, help="Messages a second.")
@click.option("--size", "-s", type=click.IntRange(0), default=1024, show_default=True)
@click.option("--max-outstanding", type=click.IntRange(1), default=1000)
@click.option("--batching/--no-batching", default=True)
@click.option("--compression", "-z", type=click.Choice(list(COMPRESSIONS)), default="none")
@_limits
@client_options
def produce(topic: str, num_messages: int, test_duration: float, output: str, **given: Any) -> None:
    """Send to TOPIC; with neither -m nor -time for 10 s."""
    connection = connection_of(given)
    duration_s = test_duration or (0 if num_messages else 10)

    async def work(client: Client) -> dict[str, Any]:
        producer = await client.create_producer(
            topic,
            batching_enabled=given["batching"],
            max_pending_messages=given["max_outstanding"],
            compression_type=COMPRESSIONS[given["compression"]],
            block_if_queue_full=True,
        )
        return await _load(producer, bytes(given["size"]), given["rate"], num_messages, duration_s)

    _print(run_with_client(work, connection), output)


async def _load(
    producer: Producer, payload: bytes, rate: float, num_messages: int, duration_s: float
) -> dict[str, Any]:
    latencies, failures = Latencies(), list[Exception]()

    def told(sent_s: float, error: Exception | None, _: object) -> None:
        if error is None:
            latencies.add((_now_s() - sent_s) * 1000)
        else:
            failures.append(error)

    began_s = now_s = _now_s()
    pace, progress = Pace(rate, began_s), Progress(sys.stderr, began_s, num_messages)
    sent = 0
    while not failures and not (duration_s and now_s - began_s >= duration_s):
        most = min(_SEND_SLICE, num_messages - sent) if num_messages else _SEND_SLICE
        if most == 0:
            break
        for _ in range(pace.due(sent, now_s, most)):
            await producer.room()
            producer.send_async(payload, partial(told, _now_s()))
            sent += 1
        await asyncio.sleep(min(pace.wait_s(sent, _now_s()), _IDLE_S))
        now_s = _now_s()
        progress.show(sent, now_s)
    await producer.flush()
    await asyncio.sleep(0)  # callbacks run in the turn behind
    progress.end()
    if failures:
        raise failures[0]
    return _figures(sent, sent * len(payload), _now_s() - began_s, latencies)


@command.command("consume", context_settings=HELP)
@click.argument("topic")
@click.option("--subscriptions", "-ss", default="sub", show_default=True, help="The subscription.")
@click.option("--subscription-type", "-st", type=click.Choice(list(TYPES)), default="exclusive")
@click.option(
    "--subscription-position", "-sp", type=click.Choice(list(POSITIONS)), default="latest"
)
@click.option("--receiver-queue-size", "-q", type=click.IntRange(1), default=1000)
@_limits
@client_options
def consume(topic: str, num_messages: int, test_duration: float, output: str, **given: Any) -> None:
    """Receive from TOPIC; with neither -m nor -time until it is interrupted.

    Latencies are those from the producer's clock to here.
    """
    connection = connection_of(given)

    async def work(client: Client) -> dict[str, Any]:
        consumer = await client.subscribe(
            topic,
            given["subscriptions"],
            consumer_type=TYPES[given["subscription_type"]],
            initial_position=InitialPosition(POSITIONS[given["subscription_position"]]),
            receiver_queue_size=given["receiver_queue_size"],
        )
        latencies = Latencies()
        began_s = now_s = first_s = _now_s()
        progress = Progress(sys.stderr, began_s, num_messages)
        count = size_bytes = 0
        while not num_messages or count < num_messages:
            left_s = test_duration - (now_s - began_s) if test_duration else _IDLE_S
            if left_s <= 0:
                break
            try:
                message = await consumer.receive(timeout=min(left_s, _IDLE_S))
            except Timeout:
                now_s = _now_s()
                continue
            first_s = first_s if count else _now_s()
            latencies.add(max(0.0, _clock.wall_ms() - message.publish_timestamp()))
            await consumer.acknowledge(message)
            count, size_bytes, now_s = count + 1, size_bytes + message.size_bytes, _now_s()
            progress.show(count, now_s)
        progress.end()
        return _figures(count, size_bytes, now_s - first_s, latencies)

    _print(run_with_client(work, connection), output)


def _figures(
    count: int, size_bytes: int, seconds: float, latencies: Latencies
) -> dict[str, int | float]:
    passed_s = max(seconds, 1e-9)
    return {
        "messages": count,
        "seconds": round(seconds, 3),
        "messages_per_s": round(count / passed_s, 1),
        "mbytes_per_s": round(size_bytes / passed_s / 1e6, 3),
        **latencies.figures(),
    }


def _print(figures: dict[str, Any], output: str) -> None:
    click.echo(report(figures, as_json=output == "json", terminal=sys.stdout.isatty()))
