"""Bookies behind a network: one connection for each, in the versions 2 and 3 of the protocol."""

from magnetar_ledger.network.config import BookieNetworkConfig
from magnetar_ledger.network.pool import NetworkBookies

__all__ = ["BookieNetworkConfig", "NetworkBookies"]
