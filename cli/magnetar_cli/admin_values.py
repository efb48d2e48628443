"""Values on the command line of `magnetar admin`: names, sizes, times, message ids."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import click

_TOPIC: Final = re.compile(r"(?:(persistent|non-persistent)://)?([^/]+)/([^/]+)/(.+)")
_UNITS_S: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_UNITS_BYTES: Final[Mapping[str, int]] = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def topic_path(text: str) -> str:
    """`persistent/tenant/namespace/topic`, encoded; a bare name is of `public/default`."""
    if "/" not in text:
        text = f"public/default/{text}"
    found = _TOPIC.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"'{text}' is no topic; expected persistent://tenant/ns/topic")
    domain, *names = found.groups()
    return "/".join([domain or "persistent", *(quote(each, safe="") for each in names)])


def namespace_path(text: str) -> str:
    """`tenant/namespace`, encoded."""
    parts = text.split("/")
    if len(parts) != 2 or not all(parts):
        raise click.BadParameter(f"'{text}' is no namespace; expected tenant/namespace")
    return "/".join(quote(each, safe="") for each in parts)


def segment(text: str) -> str:
    """One part of a path, encoded."""
    return quote(text, safe="")


def seconds_of(text: str) -> int:
    """`10m`, `2h`, `7d` or bare seconds; -1 stays."""
    found = re.fullmatch(r"(-?\d+)([smhdw]?)", text.strip())
    if found is None:
        raise click.BadParameter(f"'{text}' is no time; expected 30s, 10m, 3h, 7d, 2w")
    return int(found[1]) * (_UNITS_S[found[2]] if found[2] and int(found[1]) > 0 else 1)


def minutes_of(text: str) -> int:
    """The same in minutes, which a bare number means; -1 stays."""
    if re.fullmatch(r"-?\d+", text.strip()):
        return int(text)
    seconds = seconds_of(text)
    return seconds if seconds <= 0 else max(seconds // 60, 1)


def bytes_of(text: str) -> int:
    """`100M`, `10G` or bare bytes; -1 stays."""
    found = re.fullmatch(r"(-?\d+)([kmg]?)b?", text.strip().lower())
    if found is None:
        raise click.BadParameter(f"'{text}' is no size; expected 4096, 100K, 16M, 10G")
    return int(found[1]) * (_UNITS_BYTES[found[2]] if int(found[1]) > 0 else 1)


def mib_of(text: str) -> int:
    """The same in MiB, which a bare number means; -1 stays."""
    if re.fullmatch(r"-?\d+", text.strip()):
        return int(text)
    size = bytes_of(text)
    return size if size <= 0 else size >> 20


def position_of(text: str) -> Any:
    """`earliest`, `latest` or `ledger:entry`, as the API takes it."""
    if text in ("earliest", "latest"):
        return text
    found = re.fullmatch(r"(-?\d+):(-?\d+)", text)
    if found is None:
        raise click.BadParameter(f"'{text}' is no message; expected earliest, latest or 12:34")
    return {"ledgerId": int(found[1]), "entryId": int(found[2]), "partitionIndex": -1}


def properties_of(texts: tuple[str, ...]) -> dict[str, str]:
    """`key=value`, each."""
    pairs = [text.partition("=") for text in texts]
    if any(not equals or not key for key, equals, _ in pairs):
        raise click.BadParameter("a property is key=value")
    return {key: value for key, _, value in pairs}


def names_of(text: str) -> list[str]:
    """Names with commas between."""
    return [each.strip() for each in text.split(",") if each.strip()]
