"""Reading `.conf` files: the subset of Java properties that Pulsar's files use.

A settings class is a frozen dataclass whose fields are made by `setting(key, default, doc)`. The
field's annotation says how its text is read. `load` fills such a class from texts and reports
the keys it does not know: users' files hold dozens of keys that mean nothing here.
"""

import dataclasses
import logging
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from magnetar_runtime.errors import ConfError

ENVIRONMENT_PREFIX = "PULSAR_PREFIX_"
_KEY_METADATA = "conf_key"
_DOC_METADATA = "conf_doc"
_TRUE_TEXTS = frozenset({"true", "yes", "on", "1"})
_FALSE_TEXTS = frozenset({"false", "no", "off", "0"})
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
_UNICODE_ESCAPE = re.compile(r"u([0-9a-fA-F]{4})")
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")

_log = logging.getLogger(__name__)
T = TypeVar("T")


def read_conf(text: str) -> dict[str, str]:
    """Keys and values of a properties text; the last of two equal keys counts.

    Raises:
        ConfError: a `\\u` escape is not followed by four hex digits.
    """
    values: dict[str, str] = {}
    for line in _logical_lines(text):
        key, value = _split(line)
        values[_unescape(key, key)] = _unescape(value, key).strip()
    return values


def _logical_lines(text: str) -> Iterator[str]:
    """Lines without comments and blanks, continuations joined."""
    joined = ""
    continued = False
    for raw in re.split(r"\r\n|\r|\n", text):
        line = raw.lstrip(" \t\f")
        if not continued and (not line or line[0] in "#!"):
            continue
        joined += line
        continued = (len(line) - len(line.rstrip("\\"))) % 2 == 1
        if continued:
            joined = joined[:-1]
            continue
        yield joined
        joined = ""
    if joined:
        yield joined


def _split(line: str) -> tuple[str, str]:
    """The key ends at the first `=`, `:` or blank that no backslash escapes."""
    match = re.match(r"((?:\\.|[^\\=:\s])*)\s*[=:]?\s*(.*)", line, re.DOTALL)
    assert match is not None, "the pattern takes every line"
    return match[1], match[2]


def _unescape(text: str, key: str) -> str:
    if "\\" not in text:
        return text
    parts: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != "\\" or at + 1 == len(text):
            parts.append(text[at])
            at += 1
        elif text[at + 1] == "u":
            match = _UNICODE_ESCAPE.match(text, at + 1)
            if match is None:
                raise ConfError(key, f"broken \\u escape in {text!r}")
            parts.append(chr(int(match[1], 16)))
            at = match.end()
        else:
            parts.append(_ESCAPES.get(text[at + 1], text[at + 1]))
            at += 2
    # Java writes characters beyond 16 bits as two escapes.
    return _SURROGATE_PAIR.sub(
        lambda pair: pair[0].encode("utf-16", "surrogatepass").decode("utf-16"), "".join(parts)
    )


def setting(key: str, default: Any, doc: str) -> Any:
    """A field of a settings class: its key in `.conf` files, its default, what it means."""
    return dataclasses.field(default=default, metadata={_KEY_METADATA: key, _DOC_METADATA: doc})


class Key(NamedTuple):
    """A row of the table of known keys."""

    key: str
    field: str
    default: Any
    doc: str


def keys_of(settings_class: type[Any]) -> list[Key]:
    """The table of known keys of a settings class."""
    return [
        Key(field.metadata[_KEY_METADATA], field.name, field.default, field.metadata[_DOC_METADATA])
        for field in dataclasses.fields(settings_class)
    ]


def from_environment(settings_class: type[Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Keys in the environment: any with the prefix `PULSAR_PREFIX_`, and known ones bare.

    The prefixed form counts where both are there.
    """
    values = {
        row.key: environment[row.key] for row in keys_of(settings_class) if row.key in environment
    }
    for name, value in environment.items():
        if name.startswith(ENVIRONMENT_PREFIX):
            values[name.removeprefix(ENVIRONMENT_PREFIX)] = value
    return values


def from_assignments(assignments: Sequence[str]) -> dict[str, str]:
    """Keys and values of `--set key=value` options.

    Raises:
        ConfError: one has no `=` or no key.
    """
    values: dict[str, str] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not key.strip() or not equals:
            raise ConfError(text, "expected key=value")
        values[key.strip()] = value.strip()
    return values


def load(settings_class: type[T], values: Mapping[str, str]) -> tuple[T, list[str]]:
    """Fill a settings class; the second result names the keys it does not know.

    An empty value means "unset": None where the field may be None, else the default. Pulsar's own
    files have `clusterName=` and `advertisedAddress=`.

    Raises:
        ConfError: a value cannot be read as its field's type.
    """
    types = typing.get_type_hints(settings_class)
    rows = {row.key: row for row in keys_of(settings_class)}
    fields = {
        rows[key].field: _read(rows[key], types[rows[key].field], text.strip())
        for key, text in values.items()
        if key in rows
    }
    return settings_class(**fields), sorted(key for key in values if key not in rows)


def warn_of_unknown(keys: Sequence[str]) -> None:
    """One line for all keys that are not known; none if there is none."""
    if keys:
        _log.warning("configuration keys without effect here: %s", ", ".join(keys))


def _read(row: Key, kind: Any, text: str) -> Any:
    choices = typing.get_args(kind)
    if not text:
        if type(None) in choices:
            return None
        return row.default
    base = choices[0] if choices else kind
    try:
        return _read_as(base, text)
    except ValueError:
        raise ConfError(row.key, f"{text!r} is not {_KIND_NAMES[base]}") from None


_KIND_NAMES: Mapping[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


def _read_as(kind: Any, text: str) -> Any:
    if kind is bool:
        if text.lower() in _TRUE_TEXTS:
            return True
        if text.lower() in _FALSE_TEXTS:
            return False
        raise ValueError(text)
    assert kind in (int, float, str), f"no reader for {kind}"
    return kind(text)
