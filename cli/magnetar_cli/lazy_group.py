"""Groups of commands whose modules are imported when one is run, and not to list them."""

import importlib
from collections.abc import Mapping
from typing import Any, ClassVar, Final

import click

INTERRUPTED: Final = 130
"""How a shell calls the end by SIGINT (Ctrl-C)."""

Commands = Mapping[str, tuple[str, str]]
"""Name -> (module that has it under the name `command`, one line of help)."""


class LazyGroup(click.Group):
    """A group of `commands`, beside those that were added to it.

    `magnetar --help` must answer at once: importing all services takes longer than a start.
    """

    lazy: ClassVar[Commands] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.lazy, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module_name, _ = self.lazy[cmd_name]
        try:
            command = importlib.import_module(module_name).command
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("magnetar"):
                raise
            raise click.ClickException(
                f"{ctx.command_path} {cmd_name} needs the library {error.name}:"
                " pip install 'magnetar[server]'"
            ) from error
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(err=True)  # a prompt stands on a line of its own
            raise SystemExit(INTERRUPTED) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, self._help_of(name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def _help_of(self, name: str) -> str:
        if name in self.lazy:
            return self.lazy[name][1]
        return self.commands[name].get_short_help_str(80)


def lazy_group(commands: Commands) -> type[LazyGroup]:
    """A class of groups that has these commands."""

    class Group(LazyGroup):
        lazy = commands

    return Group
