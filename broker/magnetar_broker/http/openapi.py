"""The table of calls as an OpenAPI document."""

from collections.abc import Sequence
from typing import Any, Final

from magnetar_broker.http.route_table import Row, plain, variables
from magnetar_broker.http.shapes import REASON, as_json

_FOR_PEOPLE: Final = "The HTTP calls of a Magnetar broker; those of Apache Pulsar are as there."


def openapi(rows: Sequence[Row], version: str) -> dict[str, Any]:
    """The document, with its paths in the order of the rows."""
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(plain(row.path), {})[row.method.lower()] = _operation(row)
    return {
        "openapi": "3.0.3",
        "info": {"title": "Magnetar", "version": version, "description": _FOR_PEOPLE},
        "paths": paths,
        "components": {"schemas": {"Reason": as_json(REASON)}},
    }


def _operation(row: Row) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": row.summary,
        "x-permission": row.permission.value,
        "parameters": [*_in_path(row), *_in_query(row)],
        "responses": _responses(row),
    }
    if row.body is not None:
        content = {"application/json": {"schema": as_json(row.body)}}
        operation["requestBody"] = {"content": content}
    return operation


def _in_path(row: Row) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^(?:{expression or '[^/]+'})$"},
        }
        for name, expression in variables(row.path).items()
    ]


def _in_query(row: Row) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "in": "query",
            "description": each.summary,
            "schema": as_json(each.shape),
        }
        for each in row.query
    ]


def _responses(row: Row) -> dict[str, Any]:
    reason = {"application/json": {"schema": {"$ref": "#/components/schemas/Reason"}}}
    refused = {"description": "refused; the reason says why", "content": reason}
    if row.answer is None:
        return {"204": {"description": "done"}, "default": refused}
    content = {row.media_type: {"schema": as_json(row.answer)}}
    return {"200": {"description": "the answer", "content": content}, "default": refused}
