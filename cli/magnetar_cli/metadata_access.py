"""What the commands on metadata share: the option, the open store, failures in one line each."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import click
from magnetar_metadata.errors import MetadataError, StoreUnreachableError, WrongUrlError
from magnetar_metadata.metadata_url import MetadataUrl, open_store, parse_metadata_url
from magnetar_metadata.store import MetadataStore
from magnetar_runtime.clock import SystemClock
from magnetar_runtime.errors import DirectoryLockedError
from magnetar_runtime.logging import setup_logging
from magnetar_runtime.settings_bookie import BookieServiceSettings

from magnetar_cli.exits import CommandFailedError, DirectoryInUseError, WrongSettingsError

CONNECT_TIMEOUT_MS = 15_000
HELP = {"help_option_names": ["-h", "--help"]}

ResultT = TypeVar("ResultT")


def url_of(_: click.Context, parameter: click.Parameter, text: str) -> MetadataUrl:
    """The address in a parameter. Raises click.BadParameter, which ends with 2."""
    try:
        url = parse_metadata_url(text)
    except WrongUrlError as error:
        raise click.BadParameter(str(error)) from error
    if url.kind == "memory":
        raise click.BadParameter("memory: would be gone with the command")
    return url


def check_metadata_uri(settings: BookieServiceSettings) -> None:
    """Whether a bookkeeper.conf names a metadata store.

    Raises:
        WrongSettingsError: it does not.
    """
    try:
        parse_metadata_url(settings.metadata_url)
    except WrongUrlError as error:
        raise WrongSettingsError(f"metadataServiceUri: {error}") from error


def metadata_store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--metadata-store URL`."""
    return click.option(
        "--metadata-store",
        "-md",
        "url",
        required=True,
        metavar="URL",
        callback=url_of,
        help="zk:HOST:PORT[,HOST:PORT][/ROOT], zk+null://HOST:PORT/LEDGERS or sqlite:DIR.",
    )(command)


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`-o text|json`."""
    return click.option(
        "-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form."
    )(command)


def run_with_store(
    url: MetadataUrl,
    work: Callable[[MetadataStore], Awaitable[ResultT]],
    *,
    make_root: bool = False,
) -> ResultT:
    """Open the store, do the work, close; what comes from outside ends the command with a line."""

    async def run() -> ResultT:
        async with opened(url, make_root=make_root) as store:
            return await work(store)

    return run_told(run)


def opened(
    url: MetadataUrl, *, make_root: bool = False
) -> AbstractAsyncContextManager[MetadataStore]:
    """The store, for as long as the block lasts."""
    return open_store(
        url, SystemClock(), connect_timeout_ms=CONNECT_TIMEOUT_MS, make_root=make_root
    )


def run_told(run: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Run to the end, with errors from outside as exits."""

    async def main() -> ResultT:
        return await run()

    setup_logging("WARNING", json=False)
    try:
        return asyncio.run(main())
    except DirectoryLockedError as error:
        raise DirectoryInUseError(f"{error}: stop the standalone first") from error
    except StoreUnreachableError as error:
        raise CommandFailedError(f"cannot reach the metadata store: {error}") from error
    except (MetadataError, OSError) as error:
        raise CommandFailedError(str(error)) from error
