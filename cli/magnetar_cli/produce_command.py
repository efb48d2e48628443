"""`magnetar produce`: messages from the command line, from files, from stdin."""

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click
from magnetar import Client, CompressionType, Producer
from magnetar_runtime.clock import SystemClock

from magnetar_cli.client_options import (
    HELP,
    client_options,
    connection_of,
    property_option,
    run_with_client,
)
from magnetar_cli.exits import CommandFailedError
from magnetar_cli.pacing import Pace
from magnetar_cli.progress import Progress
from magnetar_cli.stdin_lines import lines_of

COMPRESSIONS: Final = {each.name.lower(): each for each in CompressionType}


@click.command("produce", context_settings=HELP)
@click.argument("topic")
@click.option("--messages", "-m", multiple=True, help="A message; may be given several times.")
@click.option(
    "--files",
    "-f",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file whose content is one message; may be given several times.",
)
@click.option("--num-produce", "-n", type=click.IntRange(1), default=1, help="All so many times.")
@click.option("--rate", "-r", type=click.FloatRange(0), default=0, help="Messages a second.")
@click.option("--key", "-k", help="The key of each message.")
@click.option("--key-separator", metavar="TEXT", help="Lines of stdin are KEY, TEXT, CONTENT.")
@property_option
@click.option("--event-time", type=int, help="Event time of each message, ms since 1970.")
@click.option("--deliver-after", type=click.IntRange(0), help="Deliver so many ms later.")
@click.option("--compression", type=click.Choice(list(COMPRESSIONS)), default="none")
@click.option("--chunking", is_flag=True, help="Cut messages that are too large; no batches.")
@client_options
def command(
    topic: str, num_produce: int, rate: float, compression: str, chunking: bool, **given: Any
) -> None:
    """Send messages to TOPIC: those of -m and -f, else each line of stdin.

    It ends when all are stored, and prints how many there were. Ctrl-C ends it with 130 when what
    was sent is stored; a second one does not wait for that.
    """
    connection = connection_of(given)
    messages, files = given.pop("messages"), given.pop("files")
    separator = given.pop("key_separator")
    source = (
        _repeated(messages, files, num_produce) if messages or files else lines_of(sys.stdin.buffer)
    )

    async def work(client: Client) -> int:
        producer = await client.create_producer(
            topic,
            compression_type=COMPRESSIONS[compression],
            block_if_queue_full=True,
            batching_enabled=not chunking,
            chunking_enabled=chunking,
        )
        return await _send_all(producer, source, rate, separator, _options(given))

    count = run_with_client(work, connection)
    click.echo(f"{count} messages stored", err=True)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {"partition_key": given["key"]}
    if given["properties"]:
        options["properties"] = given["properties"]
    if given["event_time"] is not None:
        options["event_timestamp"] = given["event_time"]
    if given["deliver_after"] is not None:
        options["deliver_after"] = timedelta(milliseconds=given["deliver_after"])
    return options


async def _send_all(
    producer: Producer,
    source: AsyncIterator[bytes],
    rate: float,
    separator: str | None,
    options: dict[str, Any],
) -> int:
    clock = SystemClock()

    def now_s() -> float:
        return clock.monotonic_ns() / 1e9

    pace, progress = Pace(rate, now_s()), Progress(sys.stderr, now_s())
    failures: list[Exception] = []

    def told(error: Exception | None, _: object) -> None:
        if error is not None:
            failures.append(error)

    count, too_long = 0, None
    try:
        async for line in source:
            await asyncio.sleep(pace.wait_s(count, now_s()))
            key, content = _split(line, separator)
            await producer.room()
            own = options if key is None else {**options, "partition_key": key}
            producer.send_async(content, told, **own)
            count += 1
            progress.show(count, now_s())
            if failures:
                break
    except CommandFailedError as error:
        too_long = error  # it says that those before are stored
    await producer.flush()
    await asyncio.sleep(0)  # callbacks run in the turn behind
    progress.end()
    if failures:
        raise failures[0]
    if too_long is not None:
        raise too_long
    return count


def _split(line: bytes, separator: str | None) -> tuple[str | None, bytes]:
    """The key before the separator, if there is one, and the content."""
    if separator is None:
        return None, line
    key, found, content = line.partition(separator.encode())
    return (key.decode("utf-8", "replace"), content) if found else (None, line)


async def _repeated(
    messages: tuple[str, ...], files: tuple[Path, ...], times: int
) -> AsyncIterator[bytes]:
    contents = [text.encode() for text in messages]
    contents += [path.read_bytes() for path in files]
    for _ in range(times):
        for content in contents:
            yield content
