"""`magnetar consume`: messages of a subscription on stdout."""

import re
import sys
from typing import Any, BinaryIO, Final

import click
from magnetar import Client, Consumer, ConsumerType, InitialPosition, Timeout

from magnetar_cli.client_options import HELP, client_options, connection_of, run_with_client
from magnetar_cli.message_lines import FORMATS, line_of

TYPES: Final = {each.name.lower(): each for each in ConsumerType}
POSITIONS: Final = {each.name.lower(): each for each in InitialPosition}


def output_option(function: Any) -> Any:
    """`-o FORMAT`."""
    return click.option(
        "--output",
        "-o",
        type=click.Choice(FORMATS),
        default="auto",
        show_default=True,
        help="The content alone, a line with id, key and properties, or an object of JSON a line.",
    )(function)


@click.command("consume", context_settings=HELP)
@click.argument("topic")
@click.option("--subscription-name", "-s", required=True, help="The subscription.")
@click.option("--subscription-type", "-t", type=click.Choice(list(TYPES)), default="exclusive")
@click.option(
    "--subscription-position",
    "-p",
    type=click.Choice(list(POSITIONS)),
    default="latest",
    show_default=True,
    help="Where a subscription begins that is made.",
)
@click.option("--num-messages", "-n", type=click.IntRange(0), default=1, help="0: without end.")
@click.option("--timeout", type=click.FloatRange(0), help="End when none comes for so many s.")
@click.option("--regex", "-r", is_flag=True, help="TOPIC is a pattern of names.")
@output_option
@client_options
def command(
    topic: str, subscription_name: str, num_messages: int, timeout: float | None, **given: Any
) -> None:
    """Receive messages of TOPIC and acknowledge them when they are written."""
    connection = connection_of(given)

    async def work(client: Client) -> None:
        consumer = await client.subscribe(
            re.compile(topic) if given["regex"] else topic,
            subscription_name,
            consumer_type=TYPES[given["subscription_type"]],
            initial_position=POSITIONS[given["subscription_position"]],
            batch_index_ack_enabled=True,  # it may end in the middle of a batch
        )
        await _write_all(consumer, num_messages, timeout, chosen(given["output"]))

    run_with_client(work, connection)


def chosen(form: str) -> str:
    """What "auto" means here."""
    if form != "auto":
        return form
    return "line" if sys.stdout.isatty() else "content"


def write(stream: BinaryIO, line: bytes) -> None:
    """A line that is out before this returns."""
    stream.write(line + b"\n")
    stream.flush()


async def _write_all(
    consumer: Consumer, num_messages: int, timeout_s: float | None, form: str
) -> None:
    count = 0
    while not num_messages or count < num_messages:
        try:
            message = await consumer.receive(timeout=timeout_s)
        except Timeout:
            break
        write(sys.stdout.buffer, line_of(message, form))
        await consumer.acknowledge(message)
        count += 1
