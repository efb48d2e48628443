"""The simulated disk: as the machine's while it runs, forgetful when the power goes."""

import errno
import tempfile
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from magnetar_runtime.disk import Disk, DiskError, File
from magnetar_runtime.sim.disk import SimDisk
from magnetar_runtime.sim.faults import Fault
from magnetar_runtime.sim.losses import LossPolicy
from magnetar_runtime.system_disk import SystemDisk

NAMES = ("a", "b", "c")
RNG = Random(1)
STEPS = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.integers(0, 9_000)),
    st.tuples(
        st.sampled_from(["truncate", "allocate"]), st.sampled_from(NAMES), st.integers(0, 99)
    ),
    st.tuples(st.just("rename"), st.sampled_from(NAMES), st.sampled_from((0, 1, 2))),
    st.tuples(st.sampled_from(["create", "unlink", "open"]), st.sampled_from(NAMES), st.just(0)),
)


@pytest.fixture
def disk() -> SimDisk:
    disk = SimDisk()
    disk.make_directories("d")
    return disk


def do(disk: Disk, at: str, step: tuple[str, str, int], number: int) -> object:
    """One step; what a program sees of it."""
    name, file_name, amount = step
    path = f"{at}/{file_name}"
    try:
        if name == "create":
            disk.create(path).close()
        elif name == "unlink":
            disk.unlink(path)
        elif name == "rename":
            disk.rename(path, f"{at}/{NAMES[amount]}")
        else:
            file = disk.open(path)
            if name == "write":
                file.write_at(amount, [b"%d" % number, b"", b"x" * 600])
            elif name == "truncate":
                file.truncate(amount)
            elif name == "allocate" and amount:
                file.allocate(amount)
            seen = (file.size(), file.read_at(0, 20_000), file.read_at(5, 10))
            file.close()
            return seen
    except OSError as error:
        return error.errno
    return (disk.names(at), disk.exists(path))


@settings(max_examples=40, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_a_program_sees_no_difference_to_the_disk_of_the_machine(
    steps: list[tuple[str, str, int]],
) -> None:
    simulated = SimDisk()
    simulated.make_directories("d")
    with tempfile.TemporaryDirectory() as directory:
        for number, step in enumerate([("create", "a", 0), *steps]):
            seen = do(simulated, "d", step, number)
            assert seen == do(SystemDisk(), directory, step, number), step


def test_bytes_need_a_sync_and_names_one_of_their_directory(disk: SimDisk) -> None:
    file: File = disk.create("d/f")
    file.write_at(0, [b"data"])
    file.sync()
    assert disk.crashed(LossPolicy.NOTHING, RNG).names("d") == []
    disk.sync_directory("d")
    file.write_at(4, [b"more"])
    disk.rename("d/f", "d/g")
    lost = disk.crashed(LossPolicy.NOTHING, RNG)
    assert lost.names("d") == ["f"]
    assert lost.open("d/f").read_at(0, 9) == b"data"
    kept = disk.crashed(LossPolicy.EVERYTHING, RNG)
    assert kept.names("d") == ["g"]
    assert kept.open("d/g").read_at(0, 9) == b"datamore"
    assert disk.open("d/g").read_at(0, 9) == b"datamore"


def test_an_unlink_is_undone_until_its_directory_is_synced(disk: SimDisk) -> None:
    disk.create("d/f").close()
    disk.sync_directory("d")
    disk.unlink("d/f")
    assert not disk.exists("d/f")
    assert disk.crashed(LossPolicy.NOTHING, RNG).exists("d/f")
    disk.sync_directory("d")
    assert not disk.crashed(LossPolicy.NOTHING, RNG).exists("d/f")


def test_a_failed_sync_loses_the_data_and_the_next_succeeds(disk: SimDisk) -> None:
    file = disk.create("d/f")
    disk.sync_directory("d")
    disk.faults.append(Fault("sync", "d/f"))
    file.write_at(0, [b"data"])
    with pytest.raises(DiskError) as raised:
        file.sync()
    assert (raised.value.errno, raised.value.filename) == (errno.EIO, "d/f")
    assert file.read_at(0, 4) == b"data"
    file.sync()
    assert disk.crashed(LossPolicy.EVERYTHING, RNG).open("d/f").size() == 0


def test_a_full_disk(disk: SimDisk) -> None:
    disk.capacity_bytes = 3 * 4096
    file = disk.create("d/f")
    file.allocate(4096)
    assert disk.space("d").free_bytes == 2 * 4096
    for call in (lambda: file.allocate(4 * 4096), lambda: file.write_at(0, [b"x" * 20_000])):
        with pytest.raises(DiskError) as raised:
            call()
        assert raised.value.errno == errno.ENOSPC
    assert disk.space("d").free_bytes == 0
    assert file.read_at(0, 20_000) == b"x" * 3 * 4096
    disk.unlink("d/f")
    assert disk.space("d").free_bytes == 3 * 4096


def test_every_step_is_told_while_it_may_still_be_lost(disk: SimDisk) -> None:
    told: list[tuple[str, str]] = []
    cuts: list[SimDisk] = []

    def step(name: str, path: str) -> None:
        told.append((name, path))
        cuts.append(disk.fork())

    disk.on_step = step
    file = disk.create("d/f")
    file.allocate(10)
    file.write_at(0, [b"x"])
    file.sync()
    disk.rename("d/f", "d/g")
    disk.sync_directory("d")
    disk.commit("d/g", "image")
    disk.unlink("d/g")
    file.truncate(0)
    disk.make_directories("d/h")
    names = [name for name, _ in told]
    assert names == [
        "create", "allocate", "write", "sync", "rename", "sync_directory", "commit", "unlink",
        "truncate", "make_directory", "sync_directory",
    ]  # fmt: skip
    assert disk.steps == len(told) + 2  # those of the fixture
    for cut in cuts[:6]:
        assert cut.crashed(LossPolicy.NOTHING, RNG).names("d") == []
    assert cuts[5].crashed(LossPolicy.EVERYTHING, RNG).open("d/g").read_at(0, 2) == b"x\0"


def test_a_commit_is_there_or_not_and_stays(disk: SimDisk) -> None:
    cuts: list[SimDisk] = []
    disk.create("d/index").close()
    disk.sync_directory("d")
    disk.on_step = lambda _step, _path: cuts.append(disk.fork())
    disk.commit("d/index", 1)
    disk.commit("d/index", 2)
    assert disk.image("d/index") == 2
    assert disk.image("d/other") is None
    assert cuts[1].crashed(LossPolicy.NOTHING, RNG).image("d/index") == 1
    assert cuts[1].crashed(LossPolicy.EVERYTHING, RNG).image("d/index") == 2
    found = {cuts[1].crashed(LossPolicy.SECTORS, Random(n)).image("d/index") for n in range(20)}
    assert found == {1, 2}
    assert disk.crashed(LossPolicy.NOTHING, RNG).image("d/index") == 2
    disk.faults.append(Fault("commit", error=errno.ENOSPC))
    with pytest.raises(DiskError):
        disk.commit("d/index", 3)
    assert disk.image("d/index") == 2


def test_a_directory_needs_a_sync_of_the_one_above(disk: SimDisk) -> None:
    cuts: list[tuple[str, str, SimDisk]] = []
    disk.on_step = lambda step, path: cuts.append((step, path, disk.fork()))
    disk.make_directories("d/e/f")
    told = [(step, path) for step, path, _ in cuts]
    assert told == [
        ("make_directory", "d/e"),
        ("sync_directory", "d"),
        ("make_directory", "d/e/f"),
        ("sync_directory", "d/e"),
    ]
    assert disk.names("d") == ["e"]
    for (_, _, cut), durable in zip(cuts, (False, False, True, True), strict=True):
        found = cut.crashed(LossPolicy.NOTHING, RNG)
        assert found.exists("d/e") is durable
        assert not found.exists("d/e/f")
        assert cut.crashed(LossPolicy.EVERYTHING, RNG).exists("d/e")
    assert disk.crashed(LossPolicy.NOTHING, RNG).exists("d/e/f")


def test_all_below_goes_with_a_directory(disk: SimDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(disk, "sync_directory", lambda _path: None)
        disk.make_directories("d/e/f")
    file = disk.create("d/e/f/file")
    file.write_at(0, [b"data"])
    file.sync()
    disk.create("d/e/f/index").close()
    disk.commit("d/e/f/index", "image")
    disk.sync_directory("d/e/f")
    disk.sync_directory("d/e")
    lost = disk.crashed(LossPolicy.NOTHING, RNG)
    assert lost.names("d") == lost.names("d/e/f") == []
    lost.make_directories("d/e/f")
    assert lost.names("d/e/f") == []
    assert lost.image("d/e/f/index") is None
    disk.sync_directory("d")
    kept = disk.crashed(LossPolicy.NOTHING, RNG)
    assert kept.open("d/e/f/file").read_at(0, 9) == b"data"
    assert kept.image("d/e/f/index") == "image"


def test_a_directory_is_no_file(disk: SimDisk) -> None:
    disk.make_directories("d/e")
    for call in (lambda: disk.open("d/e"), lambda: disk.unlink("d/e")):
        with pytest.raises(IsADirectoryError):
            call()
    disk.create("d/f").close()
    with pytest.raises(NotADirectoryError):
        disk.make_directories("d/f")


def test_a_flipped_bit_is_durable(disk: SimDisk) -> None:
    file = disk.create("d/f")
    file.write_at(0, [b"\0" * 100])
    file.sync()
    disk.sync_directory("d")
    disk.flip("d/f", 7, 0x80)
    assert file.read_at(6, 3) == b"\0\x80\0"
    assert disk.crashed(LossPolicy.NOTHING, RNG).open("d/f").read_at(7, 1) == b"\x80"


def test_what_is_not_there_or_closed_is_refused(disk: SimDisk) -> None:
    for call in (
        lambda: disk.open("d/f"),
        lambda: disk.create("nowhere/f"),
        lambda: disk.sync_directory("nowhere"),
        lambda: disk.unlink("d/f"),
    ):
        with pytest.raises(FileNotFoundError):
            call()
    assert disk.names("nowhere") == []
    with pytest.raises(FileNotFoundError):
        disk.commit("d/f", 1)
    file = disk.create("d/f")
    with pytest.raises(FileExistsError):
        disk.create("d/f")
    file.close()
    with pytest.raises(DiskError):
        file.sync()
