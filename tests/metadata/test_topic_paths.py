"""Names in paths, as Java's form encoding makes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from magnetar_metadata.topic_paths import decode_name, encode_name, managed_ledger_name


@pytest.mark.parametrize(
    ("name", "encoded"),
    [
        ("plain-Topic_1.x*", "plain-Topic_1.x*"),
        ("a b", "a+b"),
        ("a+b", "a%2Bb"),
        ("a/b", "a%2Fb"),
        ("~", "%7E"),
        ("100%", "100%25"),
        ("t:1", "t%3A1"),
        ("grün", "gr%C3%BCn"),
    ],
)
def test_encoding(name: str, encoded: str) -> None:
    assert encode_name(name) == encoded
    assert decode_name(encoded) == name


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_every_name_comes_back_and_is_one_part_of_a_path(name: str) -> None:
    encoded = encode_name(name)
    assert decode_name(encoded) == name
    assert "/" not in encoded


def test_a_managed_ledgers_name() -> None:
    name = managed_ledger_name("public", "default", "persistent", "my topic")
    assert name == "public/default/persistent/my+topic"
