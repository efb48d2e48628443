"""Properties texts as Java reads them, and the typed table over them."""

import logging
from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_runtime import conf
from magnetar_runtime.errors import ConfError


@dataclass(frozen=True, kw_only=True)
class Sample:
    port: int | None = conf.setting("servicePort", 1, "Port.")
    name: str = conf.setting("clusterName", "local", "Name.")
    rate: float = conf.setting("rateLimit", 0.5, "Rate.")
    durable: bool = conf.setting("syncData", True, "Sync.")
    size: int = conf.setting("maxSize", 10, "Size.")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1\nb = 2\n", {"a": "1", "b": "2"}),
        ("# c\n! d\n   # e\na=1#2\n", {"a": "1#2"}),
        ("a:1\nb 2\nc\t=\t3\nd\n", {"a": "1", "b": "2", "c": "3", "d": ""}),
        ("a=1\na=2", {"a": "2"}),
        ("a=x\\\n   y\\\n\n", {"a": "xy"}),
        ("a=x\\\n# y", {"a": "x# y"}),
        ("a=x\\\\\nb=2", {"a": "x\\", "b": "2"}),
        ("a=x\\", {"a": "x"}),
        ("a\\=b=c", {"a=b": "c"}),
        ("a\\ b c", {"a b": "c"}),
        ("a=\\t\\n\\q\\u00e4\\uD83D\\uDE00", {"a": "\t\nq\u00e4\U0001f600"}),
        ("a=1\r\nb=2\rc=3", {"a": "1", "b": "2", "c": "3"}),
        ("url=pulsar://h:1?x=y", {"url": "pulsar://h:1?x=y"}),
        ("", {}),
    ],
)
def test_reads_properties(text: str, expected: dict[str, str]) -> None:
    assert {key: value.strip(" ") for key, value in conf.read_conf(text).items()} == {
        key: value.strip() for key, value in expected.items()
    }


def test_a_broken_escape_names_its_key() -> None:
    with pytest.raises(ConfError, match=r"^a: broken"):
        conf.read_conf("a=\\u12g4")


@given(st.text("ab\\=:#!u0d8 \t\r\n\f\u00e4"))
def test_any_text_is_read_or_refused_cleanly(text: str) -> None:
    with suppress(ConfError):
        assert all(isinstance(value, str) for value in conf.read_conf(text).values())


WORDS = st.text("ab\\=:#!u0\u00e4\U0001f600")


@given(st.dictionaries(WORDS.filter(bool), WORDS))
def test_an_escaped_text_comes_back(values: dict[str, str]) -> None:
    def escape(text: str) -> str:
        return "".join("\\" + char if char in "\\=:#!" else char for char in text)

    text = "".join(f"{escape(key)}={escape(value)}\n" for key, value in values.items())
    assert conf.read_conf(text) == {key: value.strip() for key, value in values.items()}


def test_loads_typed_values_and_names_unknown_keys() -> None:
    settings, unknown = conf.load(
        Sample,
        {"servicePort": " 7 ", "rateLimit": "2", "syncData": "FALSE", "zzz": "1", "aaa": ""},
    )
    assert settings == Sample(port=7, rate=2.0, durable=False)
    assert unknown == ["aaa", "zzz"]


def test_empty_values_mean_unset() -> None:
    settings, _ = conf.load(Sample, dict.fromkeys(["servicePort", "clusterName", "maxSize"], ""))
    assert settings == Sample(port=None, size=10)
    assert settings.name  # the default, which is not empty


@pytest.mark.parametrize(
    ("key", "text", "problem"),
    [
        ("servicePort", "x", "not a whole number"),
        ("maxSize", "1.5", "not a whole number"),
        ("rateLimit", "fast", "not a number"),
        ("syncData", "maybe", "not true or false"),
    ],
)
def test_a_bad_value_names_its_key(key: str, text: str, problem: str) -> None:
    with pytest.raises(ConfError, match=f"{key}: '{text}' is {problem}") as caught:
        conf.load(Sample, {key: text})
    assert caught.value.key == key


def test_environment_bare_and_prefixed() -> None:
    environment = {
        "PATH": "p",
        "maxSize": "1",
        "clusterName": "bare",
        "PULSAR_PREFIX_clusterName": "prefixed",
        "PULSAR_PREFIX_other": "x",
    }
    assert conf.from_environment(Sample, environment) == {
        "maxSize": "1",
        "clusterName": "prefixed",
        "other": "x",
    }


def test_assignments() -> None:
    assert conf.from_assignments(["a=1", " b = x=y "]) == {"a": "1", "b": "x=y"}
    for broken in ("a", "=1", ""):
        with pytest.raises(ConfError):
            conf.from_assignments([broken])


def test_unknown_keys_make_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    conf.warn_of_unknown([])
    conf.warn_of_unknown(["a", "b"])
    assert [record.getMessage() for record in caplog.records] == [
        "configuration keys without effect here: a, b"
    ]
