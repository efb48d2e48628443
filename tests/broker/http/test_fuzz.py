"""Requests drawn from the OpenAPI document, and hostile ones: no 5xx, no stack trace, no harm.

`FUZZ_CASES` says how many are drawn (200), `FUZZ_SEED` from where. Afterwards the broker still
takes and delivers messages.
"""

import asyncio
import io
import json
import os
import random
from typing import Any, Final

from yarl import URL

from tests.broker.http.web_world import Web, web_world

CASES: Final = int(os.environ.get("FUZZ_CASES", "200"))
SEED: Final = int(os.environ.get("FUZZ_SEED", "1"))
NAMES: Final = (
    "public", "default", "t", "s", "persistent", "standalone", "localhost:8080", "r", "latest",
    "0x00000000_0x40000000", "%2e%2e", "%2e%2e%2f%2e%2e%2fetc", "..%5c..", "%00", "%ff%fe", "a%20b",
    "%F0%9F%98%80", "x" * 3000, "__change_events", "t-partition-0", "t-partition-99999999999", "-1",
    "0", "1", "99999999999999999999", "%0d%0aX:%20y", "'%22;--", "{x}", "null", "%2F", ".", "%25",
)  # fmt: skip
NUMBERS: Final = (0, 1, -1, 2, 5, 2**31, 2**63, -(2**64), 10**400, 1.5)
TEXTS: Final = ("", "a", "latest", "earliest", "\x00", "\ud800", "é" * 50, "-1", "http://[", "{}")


class Draw:
    """Draws requests."""

    def __init__(self, document: Any, seed: int) -> None:
        self.random = random.Random(seed)
        self.operations = [
            (path, method.upper(), operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if "/ws/" not in path and "/events" not in path
        ]

    def request(self) -> tuple[str, str, bytes | None, str]:
        """Method, path, body and its type."""
        path, method, operation = self.random.choice(self.operations)
        for parameter in operation["parameters"]:
            if parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", self._segment(parameter["name"]))
        query = [
            f"{each['name']}={self.random.choice(NAMES)}"
            for each in operation["parameters"]
            if each["in"] == "query" and self.random.random() < 0.3
        ]
        body = self._body(operation)
        kind = self.random.choice(("application/json",) * 8 + ("text/plain", "a/b;charset=x"))
        return method, path + ("?" + "&".join(query) if query else ""), body, kind

    def _segment(self, name: str) -> str:
        usual = {"domain": "persistent", "tenant": "public", "namespace": "default", "topic": "t"}
        if self.random.random() < 0.75 and name in usual:
            return usual[name]
        if name in ("seconds", "count", "number", "time_ms", "ledger", "entry"):
            return self.random.choice(("0", "1", "5", "9999999999"))
        return self.random.choice(NAMES)

    def _body(self, operation: Any) -> bytes | None:
        content = operation.get("requestBody", {}).get("content", {})
        chance = self.random.random()
        if chance < 0.1:
            return self.random.choice(
                (b"\xff\xfe", b"{", b"[" * 5000, b'"\\ud800"', b"nul", b" " * 9)
            )
        if not content and chance < 0.8:
            return None
        schema = next(iter(content.values()), {}).get("schema", {})
        value = self._value(schema if chance < 0.8 else {}, 0)
        return json.dumps(value).encode()

    def _value(self, schema: Any, depth: int) -> Any:
        if "anyOf" in schema:
            schema = self.random.choice(schema["anyOf"])
        kind = schema.get("type")
        if kind is None or self.random.random() < 0.1:
            kind = self.random.choice(("string", "integer", "object", "array", "boolean", "null"))
        if kind == "object" and depth < 4:
            names = [*schema.get("properties", {}), "a", "ledgerId", "entryId", "partitions"]
            chosen = self.random.sample(names, self.random.randint(0, min(4, len(names))))
            chosen += schema.get("required", [])
            of = schema.get("properties", {})
            return {name: self._value(of.get(name, {}), depth + 1) for name in chosen}
        if kind == "array" and depth < 4:
            of = schema.get("items", {})
            return [self._value(of, depth + 1) for _ in range(self.random.randint(0, 3))]
        return {
            "string": self.random.choice(TEXTS),
            "integer": self.random.choice(NUMBERS),
            "boolean": True,
        }.get(str(kind))


async def _check(world: Web, method: str, path: str, body: bytes | None, kind: str) -> None:
    url = URL(f"{world.http.make_url('/')}".rstrip("/") + path, encoded=True)
    headers = {} if body is None else {"Content-Type": kind}
    async with asyncio.timeout(20):
        async with world.http.session.request(
            method, url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            text = await answer.text(errors="replace")
    said = f"seed {SEED}: {method} {path[:300]} {body!r:.300}: {answer.status} {text[:300]}"
    # 501 says that a thing is not built; 503 that this broker has no such listener.
    unknown_listener = answer.status == 503 and "listenerName=" in path
    assert answer.status < 500 or answer.status == 501 or unknown_listener, said
    assert "Traceback" not in text, said
    assert 'File "' not in text, said


async def test_no_request_of_the_document_breaks_the_broker() -> None:
    async with web_world() as world:
        document = (await world.ask("GET", "/openapi.json"))[1]
        draw = Draw(document, SEED)
        for _ in range(CASES):
            await _check(world, *draw.request())
        assert (await world.ask("GET", "/admin/v2/brokers/health"))[0] == 200
        path = "/admin/v2/persistent/public/after/t"
        assert (await world.ask("PUT", "/admin/v2/namespaces/public/after"))[0] == 204
        assert (await world.ask("PUT", path))[0] == 204


async def _raw(world: Web, data: bytes, *, wait_s: float = 5.0) -> bytes:
    """What the server says to bytes on a socket, as far as it says something in time."""
    url = world.http.make_url("/")
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        writer.write(data)
        await writer.drain()
        return await asyncio.wait_for(reader.read(1 << 16), wait_s)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_hostile_requests() -> None:
    """Traversal, bodies that are too long, cut or slow, bad UTF-8; others are served meanwhile."""
    head = "PUT /admin/v2/persistent/public/default/t/properties HTTP/1.1\r\nHost: localhost\r\n"
    json_head = head + "Content-Type: application/json\r\n"
    async with web_world() as world:
        assert (await world.ask("PUT", "/admin/v2/persistent/public/default/t"))[0] == 204
        traversal = b"GET /admin/v2/../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n"
        assert b" 404 " in (await _raw(world, traversal)).split(b"\r\n")[0]
        wrong = b'{"a": "\xff\xfe"}'
        length = f"Content-Length: {len(wrong)}\r\n\r\n".encode()
        assert (
            b" 400 " in (await _raw(world, json_head.encode() + length + wrong)).split(b"\r\n")[0]
        )
        huge = b'{"a": "' + b"x" * (9 << 20) + b'"}'
        path = "/admin/v2/persistent/public/default/t/properties"
        headers = {"Content-Type": "application/json"}
        async with world.http.put(path, data=io.BytesIO(huge), headers=headers) as answer:
            assert answer.status == 413
        url = world.http.make_url("/")
        _, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(json_head.encode() + b"Content-Length: 1000000\r\n\r\n{")  # and nothing more
        await writer.drain()
        for _ in range(20):
            assert (await world.ask("GET", "/admin/v2/brokers/health"))[0] == 200
        writer.close()
        await writer.wait_closed()
        assert (await world.ask("GET", "/admin/v2/persistent/public/default/t/properties")) == (
            200,
            {},
        )
