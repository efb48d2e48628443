from typing import Any, get_type_hints

import pytest
from magnetar.errors import InvalidConfiguration
from magnetar.producer_options import ProducerArguments, ProducerOptions


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_pending_messages": 0},
        {"batching_max_messages": 0},
        {"send_timeout_millis": -1},
        {"crypto_key_reader": object()},
    ],
)
def test_what_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfiguration):
        ProducerOptions(**wrong)


def test_what_may_be_cut_is_not_batched() -> None:
    assert ProducerOptions().batches
    assert not ProducerOptions(chunking_enabled=True).batches


def test_arguments_and_options_are_the_same() -> None:
    options = set(ProducerOptions.__dataclass_fields__)
    assert set(get_type_hints(ProducerArguments)) | {"producer_name"} == options
