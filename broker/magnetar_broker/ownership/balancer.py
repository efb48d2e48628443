"""What the leader does by load: bundles go to brokers with less to do, and large ones are split.

It asks the brokers over HTTP, as an administrator would; so those of Apache Pulsar do it too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from magnetar_metadata.errors import MetadataError
from magnetar_metadata.namespace_bundles import Bundle

from magnetar_broker.errors import BrokerError
from magnetar_broker.ownership.bundle_growth import too_large, with_room
from magnetar_broker.ownership.shedding import Shedding
from magnetar_broker.ownership.split_patience import SplitPatience

if TYPE_CHECKING:
    from magnetar_runtime.clock import Clock

    from magnetar_broker.ownership.balance_options import BalanceOptions
    from magnetar_broker.ownership.broker_directory import BrokerDirectory
    from magnetar_broker.ownership.bundle_maps import BundleMaps
    from magnetar_broker.ownership.shedding import Move

log = logging.getLogger(__name__)


class BundleCalls(Protocol):
    """Done by whichever broker has the bundle. Raise BrokerError."""

    async def unload_bundle(self, bundle: Bundle) -> None: ...
    async def split_bundle(self, bundle: Bundle, *, unload: bool) -> None: ...


class Balancer:
    """Does nothing while there is nobody to ask (`calls` gives None)."""

    def __init__(
        self,
        directory: BrokerDirectory,
        maps: BundleMaps,
        calls: Callable[[], BundleCalls | None],
        options: BalanceOptions,
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._maps = maps
        self._calls = calls
        self._options = options
        self._clock = clock
        self._shedding = Shedding(options.shed)
        self._patience = SplitPatience()

    async def shed(self) -> None:
        """Move bundles away from brokers with too much to do."""
        calls = self._calls()
        if calls is None or not self._options.shed.enabled:
            return
        try:
            reports = await self._directory.reports()
        except MetadataError as error:
            log.info("the load of the brokers is not known now: %s", error)
            return
        for move in self._shedding.look(reports, self._now_ms()):
            await self._move(move, calls)

    async def _move(self, move: Move, calls: BundleCalls) -> None:
        log.info("bundle %s goes from %s to %s, which has less to do", *move)
        # Before: its clients look it up as soon as they are sent away.
        self._directory.prefer(move.bundle, move.target)
        try:
            await calls.unload_bundle(Bundle.parse(move.bundle))
        except (BrokerError, MetadataError) as error:
            self._shedding.failed(move)
            log.warning("bundle %s was not moved: %s", move.bundle, error)

    async def split(self) -> None:
        """Split bundles that are too large."""
        calls, options = self._calls(), self._options.split
        if calls is None or not options.enabled:
            return
        try:
            reports = await self._directory.reports()
            large = self._patience.ready(too_large(reports.values(), options), self._now_ms())
            large, counts = await self._there_yet(large)
        except (BrokerError, MetadataError) as error:
            log.info("the load of the bundles is not known now: %s", error)
            return
        for bundle in with_room(large, counts, options):
            log.info("bundle %s is too large and is split", bundle)
            try:
                await calls.split_bundle(Bundle.parse(bundle), unload=options.unload)
            except (BrokerError, MetadataError) as error:
                self._patience.refused(bundle, self._now_ms())
                log.warning("bundle %s was not split: %s", bundle, error)

    async def _there_yet(self, bundles: list[str]) -> tuple[list[str], dict[str, int]]:
        """Those that were not split since the report, and how many their namespaces have."""
        there, counts = [], {}
        for name in bundles:
            bundle = Bundle.parse(name)
            found = (await self._maps.of(bundle.namespace)).bundles
            if bundle in found:
                there.append(name)
                counts[bundle.namespace] = len(found.bundles)
        return there, counts

    def _now_ms(self) -> int:
        return self._clock.monotonic_ns() // 1_000_000
