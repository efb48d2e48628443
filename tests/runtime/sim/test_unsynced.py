"""What is seen and what is durable are two things until a sync."""

from random import Random

from magnetar_runtime.sim.losses import LossPolicy, NameChange, Write
from magnetar_runtime.sim.unsynced import UnsyncedFile, UnsyncedNames


def test_a_file_keeps_what_was_synced_and_a_fork_goes_its_own_way() -> None:
    file = UnsyncedFile()
    file.change(Write(0, b"one"))
    file.sync()
    file.change(Write(3, b"two"))
    fork = file.fork()
    fork.cut(LossPolicy.NOTHING, Random(1))
    assert (fork.now.read(0, 9), fork.changes) == (b"one", [])
    fork.change(Write(0, b"ONE"))
    assert (file.now.read(0, 9), file.durable.read(0, 9)) == (b"onetwo", b"one")
    file.cut(LossPolicy.EVERYTHING, Random(1))
    assert file.durable.read(0, 9) == b"onetwo"


def test_so_does_a_directory() -> None:
    names = UnsyncedNames()
    names.change(NameChange(None, "a", 1))
    names.sync()
    names.change(NameChange("a", "b", 1))
    fork = names.fork()
    assert fork.now == {"b": 1}
    fork.cut(LossPolicy.NOTHING, Random(1))
    assert fork.now == {"a": 1}
    names.cut(LossPolicy.EVERYTHING, Random(1))
    assert names.now == names.durable == {"b": 1}
