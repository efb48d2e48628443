"""How a command ends: one class for each exit code, one line on stderr, no traceback."""

import click


class CommandFailedError(click.ClickException):
    """It failed while running."""

    exit_code = 1


class WrongSettingsError(CommandFailedError):
    """The command line or the configuration is wrong."""

    exit_code = 2


class DirectoryInUseError(CommandFailedError):
    """Another process uses the data directory."""

    exit_code = 3


class DiskFailedError(CommandFailedError):
    """The disk failed or is full: nothing could be acknowledged any more."""

    exit_code = 4
