"""What each policy may leave."""

from random import Random

from magnetar_runtime.sim.losses import (
    LossPolicy,
    NameChange,
    Resize,
    Write,
    apply,
    apply_name,
    kept_changes,
    kept_names,
)
from magnetar_runtime.sim.pages import SECTOR_BYTES, Pages

LONG = Write(100, b"x" * 2_000)
CHANGES = (Resize(4096, shrinks=False), Write(0, b"head"), LONG)
NAMES = (NameChange(None, "a", 1), NameChange("a", "b", 1), NameChange("b", None, 1))


def images(policy: LossPolicy) -> set[bytes]:
    found = set()
    for seed in range(200):
        pages = Pages()
        for change in kept_changes(CHANGES, policy, Random(seed)):
            apply(pages, change)
        found.add(pages.read(0, 10_000))
    return found


def test_nothing_and_everything() -> None:
    whole = b"head".ljust(100, b"\0") + b"x" * 2_000
    assert images(LossPolicy.NOTHING) == {b""}
    assert images(LossPolicy.EVERYTHING) == {whole.ljust(4096, b"\0")}


def test_a_prefix_ends_in_a_write_that_is_torn_at_a_sector() -> None:
    found = images(LossPolicy.PREFIX)
    ends = {image.count(b"x") for image in found}
    assert ends == {0, *(SECTOR_BYTES * n - 100 for n in range(1, 5)), 2_000}
    assert all(b"head" in image for image in found if b"x" in image)
    assert b"" in found


def test_sectors_come_and_go_by_themselves() -> None:
    found = images(LossPolicy.SECTORS)
    assert len(found) > 32
    assert any(image[100:101] == b"\0" and b"x" in image for image in found)
    for image in found:
        for start in range(512, 2048, 512):
            assert set(image[start : start + 512]) in ({0}, {ord("x")}, set())


def name_images(policy: LossPolicy) -> set[tuple[str, ...]]:
    found = set()
    for seed in range(200):
        names: dict[str, int] = {}
        for change in kept_names(NAMES, policy, Random(seed)):
            apply_name(names, change)
        found.add(tuple(sorted(names)))
    return found


def test_names() -> None:
    assert name_images(LossPolicy.NOTHING) == {()}
    assert name_images(LossPolicy.EVERYTHING) == {()}
    assert name_images(LossPolicy.PREFIX) == {(), ("a",), ("b",)}
    # A rename is kept or lost as a whole; the loss of one change does not take the others along.
    assert name_images(LossPolicy.SECTORS) == {(), ("a",), ("b",)}


def test_a_file_never_gets_two_names() -> None:
    names = {"a": 1}
    apply_name(names, NameChange("b", "c", 1))  # the rename from a to b was lost
    assert names == {"c": 1}
    apply_name(names, NameChange("a", None, 1))
    assert names == {"c": 1}
