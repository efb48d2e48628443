"""The shells of the runtime run on both loops: asyncio's, and the one of `magnetar standalone`.

What stands in a file named `*_contract.py` runs on the simulated one too, under some seeds.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

import pytest
import uvloop
from magnetar_runtime.sim import LoopShape, SimLoop, stream

SEEDS = 8


def pytest_asyncio_loop_factories(
    config: object, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.new_event_loop,
        "uvloop": uvloop.new_event_loop,
    }
    if item.path.stem.endswith("_contract"):
        for seed in range(SEEDS):
            shape = LoopShape.draw(stream(seed, "shape"))
            factories[f"sim{seed}"] = partial(SimLoop, seed, shape)
    return factories
