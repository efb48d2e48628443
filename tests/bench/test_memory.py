"""Memory of a group is that of its members."""

import os

from bench.memory import group_memory_bytes


def test_own_group_has_some_memory() -> None:
    assert group_memory_bytes(os.getpgrp()) > 1_000_000


def test_a_group_without_members_has_none() -> None:
    assert group_memory_bytes(1 << 30) == 0
