"""The hash of a list of topics."""

from magnetar_broker.topic_list import names_hash


def test_empty_list() -> None:
    assert names_hash([]) == "00000000"


def test_recorded_from_apache_pulsar() -> None:
    assert names_hash(["persistent://public/default/np1"]) == "778356dd"


def test_order_does_not_matter() -> None:
    assert names_hash(["b", "a"]) == names_hash(["a", "b"])
    assert names_hash(["a", "b"]) != names_hash(["a,c", "b"])
