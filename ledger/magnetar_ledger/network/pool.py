"""Bookies by id over the network: a connection for each, made when it is needed."""

from collections.abc import Awaitable, Callable

from magnetar_metadata.bookie_registry import BOOKIE_PROTOCOL, BookieServiceInfo
from magnetar_metadata.errors import MetadataError
from magnetar_proto.bookie import Bookie
from magnetar_runtime.network import Network
from magnetar_runtime.scope import TaskScope

from magnetar_ledger.errors import NotEnoughBookiesError
from magnetar_ledger.network.add_frames import AddFrames
from magnetar_ledger.network.config import BookieNetworkConfig
from magnetar_ledger.network.network_bookie import Address, NetworkBookie

ServiceInfo = Callable[[str], Awaitable[BookieServiceInfo | None]]


class NetworkBookies:
    """A `BookiePool`. Call `close` before the scope is closed.

    Args:
        service_info: what a bookie says of itself, as `BookieRegistry.service_info`.
    """

    def __init__(
        self,
        service_info: ServiceInfo,
        network: Network,
        scope: TaskScope,
        config: BookieNetworkConfig | None = None,
    ) -> None:
        self._service_info = service_info
        self._network = network
        self._scope = scope
        self._config = config or BookieNetworkConfig()
        self._bookies: dict[str, NetworkBookie] = {}
        self._frames = AddFrames()
        self._addresses: dict[str, Address] = {}  # the last ones known

    def bookie(self, bookie_id: str) -> Bookie:
        bookie = self._bookies.get(bookie_id)
        if bookie is None:

            async def address() -> Address:
                return await self._address(bookie_id)

            bookie = NetworkBookie(
                bookie_id, address, self._network, self._scope, self._config, self._frames
            )
            self._bookies[bookie_id] = bookie
        return bookie

    def close(self) -> None:
        """End all connections; calls under way end as UNAVAILABLE."""
        for bookie in self._bookies.values():
            bookie.close()

    async def _address(self, bookie_id: str) -> Address:
        """Raises NotEnoughBookiesError if nobody knows."""
        try:
            info = await self._service_info(bookie_id)
        except MetadataError:
            info = None
        address = address_of(bookie_id, info)
        if info is None:
            # Not registered, or the store does not answer: the bookie may serve all the same.
            address = self._addresses.get(bookie_id) or address
        if address is None:
            raise NotEnoughBookiesError(f"nobody knows where bookie {bookie_id} is")
        self._addresses[bookie_id] = address
        return address


def address_of(bookie_id: str, info: BookieServiceInfo | None) -> Address | None:
    """Where a bookie says that it is; its id may be its address."""
    for endpoint in info.endpoints if info else ():
        if endpoint.protocol == BOOKIE_PROTOCOL:
            return endpoint.host, endpoint.port
    host, colon, port = bookie_id.rpartition(":")
    if colon and port.isdigit() and int(port) < 65536:
        return host.strip("[]"), int(port)
    return None
