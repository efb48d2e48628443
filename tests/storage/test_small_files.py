"""A small file is there as before or as it shall be, whenever the power goes."""

import random

import pytest
from magnetar_runtime.sim import LossPolicy, SimDisk
from magnetar_storage.small_files import replace_file

DIRECTORY = "d"


def content(disk: SimDisk) -> bytes:
    file = disk.open(f"{DIRECTORY}/NAME")
    try:
        return file.read_at(0, 100)
    finally:
        file.close()


def new_disk() -> SimDisk:
    disk = SimDisk()
    disk.make_directories(DIRECTORY)
    disk.sync_directory(".")
    replace_file(disk, DIRECTORY, "NAME", b"before, and longer")
    return disk


@pytest.mark.parametrize("policy", list(LossPolicy))
def test_a_power_cut_at_any_step_leaves_one_of_them(policy: LossPolicy) -> None:
    disk = new_disk()
    cuts: list[SimDisk] = []
    disk.on_step = lambda *_: cuts.append(disk.fork())
    replace_file(disk, DIRECTORY, "NAME", b"after")
    found = []
    for cut in cuts:
        for seed in range(5):
            after_cut = cut.crashed(policy, random.Random(seed))
            found.append(content(after_cut))
            replace_file(after_cut, DIRECTORY, "NAME", b"again")  # what is left is no hindrance
            assert content(after_cut) == b"again"
    assert set(found) <= {b"before, and longer", b"after"}
    assert found[0] == b"before, and longer"
    assert content(disk.crashed(policy, random.Random(0))) == b"after"
