"""The one table of all HTTP calls: handlers, `/openapi.json` and two pages of docs/ come from it.

To add a call, write a method in a class derived from `Routes` and put `@route` on it: method, path,
what it does, parameters, shapes of body and answer, who may ask. Name the class in `api.GROUPS`.
Many calls that are alike need no method each: override `Routes.table` and make the rows in a loop.
Then run `python tools/generate_http_reference.py`; a test says if that was forgotten.

Rows stand in any order: a path with a fixed part goes before one with a variable in its place. In
paths `{name}` matches anything but a slash, `{name:regex}` what the expression says.

Authorisation has one place: `api.add_routes` asks an `Authorise` before each handler, with the row,
whose `permission` says what the caller needs.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from aiohttp import web

if TYPE_CHECKING:
    from magnetar_broker.service import BrokerService

Shape = Mapping[str, Any]
"""A JSON schema."""

RowHandler = Callable[[Any, web.Request], Awaitable[web.StreamResponse]]
"""A method of a class derived from `Routes`, not bound."""

_HandlerT = TypeVar("_HandlerT", bound=Callable[..., Awaitable[web.StreamResponse]])


class Permission(StrEnum):
    """What a caller needs to be; each includes those who may more."""

    ANYONE = "anyone"
    PRODUCE = "may produce to the topic"
    CONSUME = "may consume from the topic"
    LOOKUP = "may produce to or consume from the topic"
    TENANT_ADMIN = "administrator of the tenant"
    SUPERUSER = "superuser"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of the query. `shape` is that of its text, as JSON would have it."""

    name: str
    summary: str = ""
    shape: Shape = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One call.

    Attributes:
        path: From the root of the server.
        summary: What it does, in a sentence without a full stop.
        handler: A method that is not bound yet.
        query: What may stand behind the question mark.
        body: Shape of the body; None if it takes none.
        answer: Shape of what is answered with 200; None if that is 204 without a body.
        media_type: Of the answer.
        permission: What the caller needs to be.
        acts: It is a GET that does more than read: foreign web pages may not ask for it.
        any_broker: Any broker answers. Else a call with a `{topic}` goes to the topic's owner.
        differs: In what it is not as in Pulsar.
        ours: Pulsar has no such call.
    """

    method: str
    path: str
    summary: str
    handler: RowHandler
    query: tuple[Parameter, ...] = ()
    body: Shape | None = None
    answer: Shape | None = None
    media_type: str = "application/json"
    permission: Permission = Permission.SUPERUSER
    acts: bool = False
    any_broker: bool = False
    differs: str = ""
    ours: bool = False

    @property
    def at_owner(self) -> bool:
        """Whether only the broker answers that serves the topic."""
        return "{topic}" in self.path and not self.any_broker

    @property
    def key(self) -> tuple[str, str]:
        """Method and path without the names of variables: what no two rows have in common."""
        return self.method, bare(self.path)


_VARIABLE: Final = re.compile(r"{(\w+)(?::((?:[^{}]|{[^{}]*})*))?}")


def bare(path: str) -> str:
    """A path in which every variable is `{}`."""
    return _VARIABLE.sub("{}", path)


def variables(path: str) -> dict[str, str]:
    """The variables of a path, each with its expression, which is empty if anything goes."""
    return {found[1]: found[2] or "" for found in _VARIABLE.finditer(path)}


def plain(path: str) -> str:
    """A path in which variables have no expressions: the form of OpenAPI."""
    return _VARIABLE.sub(lambda found: f"{{{found[1]}}}", path)


def in_order(rows: Sequence[Row]) -> list[Row]:
    """The rows so that the first whose path matches is the one that is meant."""
    return sorted(rows, key=lambda row: [_rank(part) for part in row.path.split("/")])


def _rank(part: str) -> tuple[int, str]:
    found = _VARIABLE.search(part)
    if found is None:
        return 0, part
    return (1 if found[2] else 2), ""


def route(method: str, path: str, summary: str, **more: Any) -> Callable[[_HandlerT], _HandlerT]:
    """Put a row of the table on a method; `path` goes behind the `base` of its class.

    Args:
        more: the other attributes of `Row`.
    """

    def mark(handler: _HandlerT) -> _HandlerT:
        row = Row(method=method, path=path, summary=summary, handler=handler, **more)
        rows = getattr(handler, _MARK, ())
        setattr(handler, _MARK, (row, *rows))
        return handler

    return mark


_MARK: Final = "__rows__"


class Routes:
    """A group of calls that share a prefix; it is made with a BrokerService.

    Attributes:
        base: The prefix of its paths.
        title: Of its part of the reference page.
    """

    base: ClassVar[str] = "/admin/v2"
    title: ClassVar[str] = ""

    def __init__(self, service: BrokerService) -> None:
        self._service = service

    @classmethod
    def table(cls) -> list[Row]:
        """Its rows, with whole paths."""
        marked = [row for value in vars(cls).values() for row in getattr(value, _MARK, ())]
        return [replace(row, path=f"{cls.base}{row.path}") for row in marked]
