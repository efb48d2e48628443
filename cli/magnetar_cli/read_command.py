"""`magnetar read`: messages of a topic on stdout, without a subscription."""

import sys
from typing import Any

import click
from magnetar import Client, MessageId

from magnetar_cli.client_options import HELP, client_options, connection_of, run_with_client
from magnetar_cli.consume_command import chosen, output_option, write
from magnetar_cli.message_lines import line_of


def start_of(_: click.Context, __: click.Parameter, text: str) -> MessageId:
    """earliest, latest or LEDGER:ENTRY. Raises click.BadParameter, which ends with 2."""
    ends = {"earliest": MessageId.earliest, "latest": MessageId.latest}
    if text in ends:
        return ends[text]
    try:
        ledger_id, entry_id = map(int, text.split(":"))
    except ValueError:
        raise click.BadParameter(f"{text!r} is none of earliest, latest and LEDGER:ENTRY") from None
    return MessageId(-1, ledger_id, entry_id, -1)


@click.command("read", context_settings=HELP)
@click.argument("topic")
@click.option(
    "--start-message-id",
    "-m",
    default="earliest",
    show_default=True,
    metavar="earliest|latest|LEDGER:ENTRY",
    callback=start_of,
    help="The first message.",
)
@click.option("--num-messages", "-n", type=click.IntRange(0), default=0, help="0: no bound.")
@click.option("--follow", is_flag=True, help="At the end of the topic wait for more.")
@output_option
@client_options
def command(
    topic: str, start_message_id: MessageId, num_messages: int, follow: bool, **given: Any
) -> None:
    """Read TOPIC from a place to its end, without a subscription."""
    connection = connection_of(given)
    form = chosen(given["output"])

    async def work(client: Client) -> None:
        reader = await client.create_reader(
            topic, start_message_id, start_message_id_inclusive=True
        )
        count = 0
        while not num_messages or count < num_messages:
            if not follow and not await reader.has_message_available():
                break
            message = await reader.read_next()
            write(sys.stdout.buffer, line_of(message, form))
            count += 1

    run_with_client(work, connection)
