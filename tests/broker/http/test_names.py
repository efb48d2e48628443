"""Names stand in the paths of requests."""

from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from magnetar_broker.errors import InvalidTopicNameError
from magnetar_broker.http.names import namespace_of, topic_of

PARTS: Mapping[str, str] = MappingProxyType(
    {"domain": "non-persistent", "tenant": "acme", "namespace": "orders", "topic": "a b"}
)


def request(**parts: str) -> Any:
    """All that is read of one."""
    return SimpleNamespace(match_info={**PARTS, **parts})


def test_of_a_path() -> None:
    assert str(topic_of(request())) == "non-persistent://acme/orders/a b"
    assert str(namespace_of(request())) == "acme/orders"


def test_what_is_no_name() -> None:
    with pytest.raises(InvalidTopicNameError):
        namespace_of(request(namespace="a/b"))
    with pytest.raises(InvalidTopicNameError):
        topic_of(request(tenant=""))
