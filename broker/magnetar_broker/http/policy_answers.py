"""How policies are asked for and answered, at either level."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from magnetar_broker.errors import PolicyRefusedError
from magnetar_broker.http.replies import done, json_body
from magnetar_broker.http.route_table import Parameter, Permission, Row, RowHandler
from magnetar_broker.http.shapes import ANYTHING
from magnetar_broker.policies.checks import QUOTA_TYPES, STORAGE
from magnetar_broker.policies.table import NO_CONTENT, Policy
from magnetar_broker.policies.unbuilt import Unbuilt

ADMIN: Final = Permission.TENANT_ADMIN
QUOTA_TYPE: Final = Parameter("backlogQuotaType", "destination_storage or message_age")


def policy_rows(
    path: str,
    policy: Policy,
    get: RowHandler,
    set_policy: RowHandler,
    remove: RowHandler,
    query: tuple[Parameter, ...] = (),
    *,
    any_broker: bool = False,
) -> list[Row]:
    """The three calls of a policy that is built.

    Args:
        query: parameters of GET.
    """
    name = policy.path or policy.name
    return [
        Row(
            method="GET",
            path=path,
            summary=f"What is set as {name}; an empty answer if nothing is",
            handler=get,
            query=query,
            answer=ANYTHING,
            permission=ADMIN,
            any_broker=any_broker,
        ),
        Row(
            method="POST",
            path=path,
            summary=f"Set {name}",
            handler=set_policy,
            body=ANYTHING,
            permission=ADMIN,
            any_broker=any_broker,
        ),
        Row(
            method="DELETE",
            path=path,
            summary=f"Unset {name}",
            handler=remove,
            permission=ADMIN,
            any_broker=any_broker,
        ),
    ]


def unbuilt_rows(
    path: str,
    removal: str,
    policy: Unbuilt,
    get: RowHandler,
    refuse_policy: RowHandler,
    remove: RowHandler,
    *,
    any_broker: bool = False,
) -> list[Row]:
    """The three calls of one that is not."""
    return [
        Row(
            method="GET",
            path=path,
            summary=f"What holds as {policy.path}",
            handler=get,
            answer=ANYTHING,
            permission=ADMIN,
            any_broker=any_broker,
        ),
        Row(
            method=policy.method,
            path=path,
            summary=f"Refuse {policy.path}, unless it is what holds anyway",
            handler=refuse_policy,
            body=ANYTHING,
            permission=ADMIN,
            any_broker=any_broker,
            differs="not built: refused with 501",
        ),
        Row(
            method="DELETE",
            path=removal,
            summary=f"Unset {policy.path}",
            handler=remove,
            permission=ADMIN,
            any_broker=any_broker,
        ),
    ]


def answer(value: Any) -> web.Response:
    """A policy's value; None is Pulsar's empty body."""
    if value is NO_CONTENT:
        return done()
    return web.Response() if value is None else web.json_response(value)


async def value_in(request: web.Request, policy: Policy) -> Any:
    """What is to be set; None to unset it. Raises PolicyRefusedError."""
    value = await json_body(request)
    if value is None and not policy.clears:
        raise PolicyRefusedError(400, "The request entity cannot be empty.")
    return value


def quota_type(request: web.Request) -> str:
    """Which of the two backlog quotas is meant. Raises PolicyRefusedError."""
    kind = request.query.get("backlogQuotaType", STORAGE)
    if kind not in QUOTA_TYPES:
        raise PolicyRefusedError(404, f"There is no backlog quota type {kind}")
    return kind


async def refuse(request: web.Request, policy: Unbuilt, holds: Any) -> web.Response:
    """Refuse a policy that would be kept and do nothing, unless it says what holds anyway."""
    value = await json_body(request)
    if value is None or (value == holds and isinstance(value, bool) == isinstance(holds, bool)):
        return done()
    raise PolicyRefusedError(
        501, f"{policy.path} is not built in Magnetar: it would be kept and have no effect"
    )
