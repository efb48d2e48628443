"""Every topic is in one bundle, the very one that Pulsar puts it into, before and after a split."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_metadata.errors import MalformedRecordError
from magnetar_metadata.namespace_bundles import (
    Bundle,
    NamespaceBundles,
    median,
    middle,
    topic_hash,
)
from magnetar_metadata.topic_records import bundle_boundaries

FOUR = NamespaceBundles("public/default", bundle_boundaries(4))


def test_the_hash_is_the_crc_of_zip() -> None:
    assert topic_hash("123456789") == 0xCBF43926
    assert topic_hash("persistent://public/default/ü") == topic_hash(
        "persistent://public/default/" + b"\xc3\xbc".decode()
    )


def test_ranges_as_they_stand_in_paths() -> None:
    assert [bundle.range for bundle in FOUR.bundles] == [
        "0x00000000_0x40000000",
        "0x40000000_0x80000000",
        "0x80000000_0xc0000000",
        "0xc0000000_0xffffffff",
    ]
    assert str(FOUR.bundles[0]) == "public/default/0x00000000_0x40000000"


@settings(deadline=None)
@given(st.text(min_size=1), st.integers(1, 40))
def test_a_topic_is_in_the_one_bundle_that_has_its_hash(name: str, count: int) -> None:
    bundles = NamespaceBundles("t/n", bundle_boundaries(count))
    place = topic_hash(name)
    found = [
        each
        for each in bundles.bundles
        if each.lower <= place < each.upper or place == each.upper == 0xFFFFFFFF
    ]
    assert found == [bundles.bundle_of(name)]


def test_the_last_bundle_has_the_last_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magnetar_metadata.namespace_bundles.crc32", lambda _: 0xFFFFFFFF)
    assert FOUR.bundle_of("x") == FOUR.bundles[-1]


@pytest.mark.parametrize(
    "text",
    [
        "public/default",
        "0x00000000_0x40000000",
        "public/default/0x0_0x40000000",
        "public/default/0x40000000_0x40000000",
        "public/default/0x40000000-0x80000000",
        "public/default/0xg0000000_0x80000000",
    ],
)
def test_what_is_no_bundle(text: str) -> None:
    with pytest.raises(MalformedRecordError):
        Bundle.parse(text)


def test_a_bundle_is_read_back() -> None:
    for bundle in FOUR.bundles:
        assert Bundle.parse(str(bundle)) == bundle


@pytest.mark.parametrize("boundaries", [[], ["0x00000000"], ["0x1", "0x1"], ["x", "0x1"], [1, 2]])
def test_what_are_no_boundaries(boundaries: list[str]) -> None:
    with pytest.raises(MalformedRecordError):
        NamespaceBundles("t/n", boundaries)


@settings(deadline=None)
@given(st.integers(0, 3), st.data())
def test_a_split_moves_only_topics_of_its_bundle(index: int, data: st.DataObject) -> None:
    bundle = FOUR.bundles[index]
    at = data.draw(st.integers(bundle.lower + 1, bundle.upper - 1))
    split = FOUR.split(bundle, at)
    assert len(split.bundles) == 5
    assert set(split.bundles) - set(FOUR.bundles) == {
        Bundle("public/default", bundle.lower, at),
        Bundle("public/default", at, bundle.upper),
    }
    assert split.boundaries == tuple(sorted([*FOUR.boundaries, f"0x{at:08x}"]))


def test_where_a_bundle_is_split() -> None:
    bundle = Bundle("t/n", 0x40000000, 0x80000000)
    assert middle(bundle) == 0x60000000
    assert middle(Bundle("t/n", 4, 5)) is None
    assert median(bundle, [0x40000001, 0x40000003, 0x40000011, 0x40000021]) == 0x4000000A
    assert median(bundle, [0x50000000]) is None
    assert median(bundle, [0x40000000, 0x40000000]) is None
