"""`magnetar admin`: the admin API of a broker on the command line, as pulsar-admin has it."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

import click

from magnetar_cli.admin_client import AdminClient
from magnetar_cli.admin_table import GROUPS, Call, Option, reader_of

_HELP: Final = {"help_option_names": ["-h", "--help"]}
_DEFAULT_URL: Final = "http://localhost:8080"


@click.group("admin", context_settings=_HELP)
@click.option(
    "--admin-url",
    envvar="MAGNETAR_ADMIN_URL",
    default=_DEFAULT_URL,
    show_default=True,
    help="Where a broker's HTTP side is (MAGNETAR_ADMIN_URL).",
)
@click.pass_context
def command(context: click.Context, admin_url: str) -> None:
    """Look at a cluster and change it: tenants, namespaces, topics, subscriptions.

    Names of commands are those of pulsar-admin. It ends with 1 if the broker refuses or does not
    answer, and says why; with 2 if the command line is wrong.
    """
    context.obj = admin_url


def _command_of(name: str, call: Call) -> click.Command:
    params: list[click.Parameter] = [
        click.Argument([argument], metavar=argument.upper()) for argument in call.arguments
    ]
    params += [_click_option(option) for option in call.options]
    params.append(
        click.Option(
            ["-o", "--output"], type=click.Choice(["text", "json"]), default="text", help="Form."
        )
    )

    @click.pass_obj
    def run(url: str, /, **given: Any) -> None:
        client = AdminClient(url)
        show(client.ask(*request_of(call, {**given, "ask": client.ask})), given["output"])

    return click.Command(name, callback=run, params=params, help=call.help, context_settings=_HELP)


def _click_option(option: Option) -> click.Option:
    more: dict[str, Any] = {} if option.default is None else {"default": option.default}
    return click.Option(
        list(option.flags),
        help=option.help,
        required=option.required,
        is_flag=option.switch,
        multiple=option.many,
        **more,
    )


def _name_of(option: Option) -> str:
    return option.flags[-1].lstrip("-").replace("-", "_").lower()


def request_of(call: Call, given: Mapping[str, Any]) -> tuple[str, str, Any]:
    """Method, path and body of a call with what was given on the command line."""
    read = dict(given)
    for argument in call.arguments:
        read[argument] = reader_of(argument)(given[argument])
    query: dict[str, str] = {}
    for option in call.options:
        name = _name_of(option)
        value = given.get(name)
        if option.read is not None and value is not None:
            try:
                value = read[name] = option.read(value)
            except ValueError as error:
                raise click.BadParameter(f"'{given[name]}' is no number") from error
        if option.query and value:
            query[option.query] = "true" if option.switch else str(value)
    path = re.sub(r"{(\w+)}", lambda found: str(read[found[1]]), call.path)
    if query:
        path += ("&" if "?" in path else "?") + urlencode(query)
    return call.method, path, None if call.body is None else call.body(read)


def show(value: Any, output: str) -> None:
    """Print an answer: a table, or JSON; nothing if there is none."""
    if value is None:
        return
    if output == "json":
        click.echo(json.dumps(value, indent=2))
    elif isinstance(value, dict):
        width = max(map(len, value), default=0)
        for key, each in value.items():
            click.echo(f"{key:<{width}}  {_cell(each)}")
    elif isinstance(value, list):
        for each in value:
            click.echo(_cell(each))
    else:
        click.echo(_cell(value))


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


for _name, (_help, _calls) in GROUPS.items():
    _group = click.Group(_name, help=_help, context_settings=_HELP)
    for _command, _call in _calls.items():
        _group.add_command(_command_of(_command, _call))
    command.add_command(_group)
