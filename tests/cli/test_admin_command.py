"""The commands of `magnetar admin`: what each asks for, what it prints, how it ends."""

import json
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from magnetar_cli.admin_client import AdminClient
from magnetar_cli.exits import CommandFailedError
from magnetar_cli.main import cli


class Asked:
    """Calls that were made, and what each is answered."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, Any]] = []
        self.answer: Any = None
        self.urls: list[str] = []


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Takes the place of a broker."""
    found = Asked()

    def ask(self: AdminClient, method: str, path: str, body: Any = None) -> Any:
        found.urls.append(self._url)
        found.calls.append((method, path, body))
        if isinstance(found.answer, Exception):
            raise found.answer
        return found.answer

    monkeypatch.setattr(AdminClient, "ask", ask)
    return found


def run(*words: str, **env: str) -> Result:
    return CliRunner().invoke(cli, ["admin", *words], env=env)


@pytest.mark.parametrize(
    ("words", "call"),
    [
        (
            "topics stats persistent://public/default/x",
            ("GET", "/persistent/public/default/x/stats", None),
        ),
        (
            "topics create-partitioned-topic -p 3 x",
            ("PUT", "/persistent/public/default/x/partitions", 3),
        ),
        ("topics delete -f x", ("DELETE", "/persistent/public/default/x?force=true", None)),
        ("topics delete x", ("DELETE", "/persistent/public/default/x", None)),
        ("topics create x -p a=b", ("PUT", "/persistent/public/default/x", {"a": "b"})),
        (
            "topics create-subscription -s a/b -m earliest x",
            ("PUT", "/persistent/public/default/x/subscription/a%2Fb", "earliest"),
        ),
        (
            "topics skip -s s -n 5 x",
            ("POST", "/persistent/public/default/x/subscription/s/skip/5", None),
        ),
        (
            "topics expire-messages -s s -t 2m x",
            ("POST", "/persistent/public/default/x/subscription/s/expireMessages/120", None),
        ),
        (
            "topics remove-properties -k a x",
            ("DELETE", "/persistent/public/default/x/properties?key=a", None),
        ),
        (
            "namespaces set-retention -t 7d -s 10G public/default",
            (
                "POST",
                "/namespaces/public/default/retention",
                {"retentionTimeInMinutes": 10080, "retentionSizeInMB": 10240},
            ),
        ),
        (
            "namespaces set-message-ttl -ttl 60 public/default",
            ("POST", "/namespaces/public/default/messageTTL", 60),
        ),
        (
            "namespaces create t/n -b 8",
            ("PUT", "/namespaces/t/n", {"bundles": {"numBundles": 8}}),
        ),
        (
            "namespaces grant-permission t/n --role r --actions produce,consume",
            ("POST", "/namespaces/t/n/permissions/r", ["produce", "consume"]),
        ),
        (
            "tenants create t -c c1,c2 -r a",
            ("PUT", "/tenants/t", {"adminRoles": ["a"], "allowedClusters": ["c1", "c2"]}),
        ),
        (
            "subscriptions set-properties -s s -p a=b x",
            ("PUT", "/persistent/public/default/x/subscription/s/properties", {"a": "b"}),
        ),
        ("brokers healthcheck", ("GET", "/brokers/health", None)),
    ],
)
def test_calls(asked: Asked, words: str, call: tuple[str, str, Any]) -> None:
    result = run(*words.split())
    assert (result.exit_code, result.output) == (0, "")
    assert asked.calls == [call]
    assert asked.urls == ["http://localhost:8080"]


def test_a_tenant_lives_in_all_clusters_if_none_is_named(asked: Asked) -> None:
    asked.answer = ["standalone"]
    assert run("tenants", "create", "t").exit_code == 0
    assert asked.calls[1][2] == {"adminRoles": [], "allowedClusters": ["standalone"]}


def test_where_to_ask(asked: Asked) -> None:
    run("tenants", "list", MAGNETAR_ADMIN_URL="http://h:1")
    run("--admin-url", "http://h:2", "tenants", "list", MAGNETAR_ADMIN_URL="http://h:1")
    assert asked.urls == ["http://h:1", "http://h:2"]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (["a", "b"], "a\nb\n"),
        ({"a": 1, "long": {"b": None}}, 'a     1\nlong  {"b": null}\n'),
        ("ok", "ok\n"),
        (5, "5\n"),
        ({}, ""),
    ],
)
def test_tables(asked: Asked, answer: Any, text: str) -> None:
    asked.answer = answer
    assert run("tenants", "list").output == text


def test_json(asked: Asked) -> None:
    asked.answer = {"a": [1]}
    assert json.loads(run("tenants", "list", "-o", "json").output) == {"a": [1]}


def test_refusals_end_with_1(asked: Asked) -> None:
    asked.answer = CommandFailedError("Topic x not found (HTTP 404)")
    result = run("topics", "stats", "x")
    assert result.exit_code == 1
    assert result.output == "Error: Topic x not found (HTTP 404)\n"


@pytest.mark.parametrize(
    "words",
    [
        "topics stats",
        "topics stats a/b",
        "topics create-partitioned-topic x",
        "topics create-partitioned-topic -p many x",
        "topics fly x",
        "namespaces set-retention -t soon -s 1 t/n",
        "--admin-url nonsense tenants list",
    ],
)
def test_wrong_command_lines_end_with_2(words: str) -> None:
    assert run(*words.split()).exit_code == 2


def test_help_names_the_commands() -> None:
    result = run("topics", "--help")
    assert "create-partitioned-topic" in result.output
    assert "Give it more partitions." in result.output
    assert isinstance(cli, click.Group)
