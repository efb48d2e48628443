"""`magnetar bookie read-only`: have a bookie take no more entries, over its HTTP."""

import http.client
import json
from typing import Any, Final

import click
from magnetar_metadata.bookie_registry import BookieRegistry
from magnetar_metadata.metadata_url import MetadataUrl
from magnetar_metadata.store import MetadataStore

from magnetar_cli.bookie_list import http_address
from magnetar_cli.exits import CommandFailedError
from magnetar_cli.metadata_access import (
    HELP,
    metadata_store_option,
    output_option,
    run_with_store,
)

_PATH: Final = "/api/v1/bookie/state/readonly"
_TIMEOUT_S: Final = 15.0


@click.command("read-only", context_settings=HELP)
@click.argument("what", type=click.Choice(["on", "off", "show"]))
@click.argument("bookie_id")
@metadata_store_option
@output_option
def command(what: str, bookie_id: str, url: MetadataUrl, output: str) -> None:
    """Make a bookie read-only, or writable again, or show which it is.

    Read-only it still gives entries, and takes those of recovery and repair; writers choose others.
    The bookie, ours or Apache's, must serve HTTP (httpServerEnabled=true).
    """

    async def work(store: MetadataStore) -> tuple[str, int] | None:
        info = await BookieRegistry(store, url.ledgers_root).service_info(bookie_id)
        if info is None:
            raise CommandFailedError(f"no bookie {bookie_id} is registered")
        return http_address(info)

    address = run_with_store(url, work)
    if address is None:
        raise CommandFailedError(
            f"bookie {bookie_id} serves no HTTP: set httpServerEnabled=true in its configuration"
        )
    wanted = None if what == "show" else {"readOnly": what == "on"}
    read_only = _ask(bookie_id, address, wanted)
    if output == "json":
        click.echo(json.dumps({"bookie": bookie_id, "readOnly": read_only}))
    else:
        click.echo(f"bookie {bookie_id} is {'read-only' if read_only else 'writable'}")
    if wanted is not None and read_only != wanted["readOnly"]:
        raise CommandFailedError(f"bookie {bookie_id} stays as it is: it has reasons of its own")


def _ask(bookie_id: str, address: tuple[str, int], wanted: dict[str, bool] | None) -> bool:
    connection = http.client.HTTPConnection(*address, timeout=_TIMEOUT_S)
    try:
        if wanted is None:
            connection.request("GET", _PATH)
        else:
            headers = {"Content-Type": "application/json"}
            connection.request("PUT", _PATH, json.dumps(wanted), headers)
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise CommandFailedError(f"HTTP of bookie {bookie_id} fails: {error}") from error
    finally:
        connection.close()
    found = _read_only(body)
    if answer.status != http.HTTPStatus.OK or found is None:
        raise CommandFailedError(
            f"bookie {bookie_id} answers {answer.status}: {body.strip()[:200]}"
        )
    return found


def _read_only(body: str) -> bool | None:
    try:
        found: Any = json.loads(body)
    except ValueError:
        return None
    value = found.get("readOnly") if isinstance(found, dict) else None
    return value if isinstance(value, bool) else None
