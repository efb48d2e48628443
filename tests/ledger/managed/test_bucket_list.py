"""A cursor's list of buckets, and its form as a property."""

import pytest
from magnetar_ledger.managed.bucket_list import (
    BUCKETS_PROPERTY,
    BucketList,
    MalformedBucketListError,
)


def test_a_list_comes_back_from_the_properties_and_leaves_the_others_alone() -> None:
    listed = BucketList((3, 1), (7,), "note: ünter")
    properties = listed.put_into({"user": "value"})
    assert properties["user"] == "value"
    assert BucketList.of(properties) == listed
    assert BucketList().put_into(properties) == {"user": "value"}
    assert BucketList.of({"user": "value"}) == BucketList()


def test_what_is_kept_no_more_goes_and_what_is_finished_stays() -> None:
    listed = BucketList((1, 2)).with_going(3).with_kept((2, 3), "n")
    assert (listed.kept, listed.going, listed.note) == ((2, 3), (1,), "n")
    assert listed.with_kept((), "").going == (2, 3, 1)
    assert listed.without([1]).ids == (2, 3)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "3", '{"format": 2}', '{"format": 1, "kept": [1]}', "{"],
)
def test_another_format_and_damage_are_told(text: str) -> None:
    with pytest.raises(MalformedBucketListError):
        BucketList.of({BUCKETS_PROPERTY: text})
