"""What the commands that talk as a client share: options, the open client, failures in one line."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import Any, Final, TypeVar

import click
from magnetar import (
    Authentication,
    AuthenticationTLS,
    AuthenticationToken,
    Client,
    PulsarException,
)
from magnetar.extras import MissingExtraError

from magnetar_cli.exits import CommandFailedError, WrongSettingsError
from magnetar_cli.service_options import with_options

HELP: Final = {"help_option_names": ["-h", "--help"]}

_FILE: Final = click.Path(exists=True, dir_okay=False)

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Connection:
    """Where to connect, and as whom. What is secret is not shown."""

    url: str
    auth_token: str | None = field(default=None, repr=False)
    tls_trust_certs: str | None = None
    tls_any_hostname: bool = False
    tls_cert: str | None = None
    tls_key: str | None = None

    def client(self) -> Client:
        """A client for it.

        Raises:
            WrongSettingsError: options that do not go together.
            PulsarException: an address that cannot be.
        """
        if self.tls_key and not self.tls_cert:
            raise WrongSettingsError("--tls-key is the key of a certificate: --tls-cert is missing")
        who: Authentication | None = None
        if self.auth_token:
            who = AuthenticationToken(self.auth_token)
        elif self.tls_cert:
            who = AuthenticationTLS(self.tls_cert, self.tls_key or self.tls_cert)
        return Client(
            self.url,
            authentication=who,
            tls_trust_certs_file_path=self.tls_trust_certs,
            tls_validate_hostname=not self.tls_any_hostname,
            tls_certificate_file_path=self.tls_cert,
            tls_private_key_file_path=self.tls_key,
        )


def connection_of(given: dict[str, Any]) -> Connection:
    """Takes the options of `client_options` out of those of a command."""
    return Connection(**{each.name: given.pop(each.name) for each in fields(Connection)})


def client_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--url` and what says who this is and who is trusted; see `connection_of`."""
    options = (
        click.option(
            "--url",
            envvar="MAGNETAR_SERVICE_URL",
            default="pulsar://localhost:6650",
            show_default=True,
            help="pulsar://HOST:PORT or pulsar+ssl://HOST:PORT, or http:// or https:// to look up "
            "over HTTP; several hosts with commas.",
        ),
        click.option("--auth-token", envvar="MAGNETAR_AUTH_TOKEN", help="A token, to log in with."),
        click.option(
            "--tls-trust-certs",
            type=_FILE,
            help="PEM file by whose certificates that of the broker must be issued.",
        ),
        click.option(
            "--tls-any-hostname",
            is_flag=True,
            help="The broker's certificate need not name the host of --url.",
        ),
        click.option("--tls-cert", type=_FILE, help="PEM file with a certificate, to log in with."),
        click.option("--tls-key", type=_FILE, help="PEM file with its key."),
    )
    return with_options(command, options)


def run_with_client(
    work: Callable[[Client], Awaitable[ResultT]],
    connection: Connection,
) -> ResultT:
    """Do something with a client, which is closed then.

    Raises:
        WrongSettingsError: options do not go together, or a library is missing.
        CommandFailedError: the address cannot be, the broker refuses or cannot be reached.
    """

    async def work_and_close() -> ResultT:
        async with connection.client() as client:
            return await work(client)

    try:
        return asyncio.run(work_and_close())
    except BrokenPipeError:
        # Whoever reads our output has enough, as `head` does: no failure, and nothing to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except MissingExtraError as error:
        raise WrongSettingsError(str(error)) from error
    except (PulsarException, OSError) as error:
        raise CommandFailedError(str(error)) from error


def properties_of(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE options as a dictionary. Raises click.BadParameter, which ends with 2."""
    properties = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE")
        properties[name] = value
    return properties


def property_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-p NAME=VALUE`, several times."""
    return click.option(
        "--property",
        "-p",
        "properties",
        multiple=True,
        metavar="NAME=VALUE",
        callback=properties_of,
        help="A property of each message; may be given several times.",
    )(command)
