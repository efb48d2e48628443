"""What every operation of the ledger client works with."""

import random
from typing import NamedTuple

from magnetar_metadata.ledger_registry import LedgerRegistry
from magnetar_runtime.scope import TaskScope

from magnetar_ledger.bookie_pool import BookiePool
from magnetar_ledger.config import LedgerClientConfig
from magnetar_ledger.placement import Placement


class ClientTools(NamedTuple):
    """The same for all ledgers of a client."""

    registry: LedgerRegistry
    bookies: BookiePool
    placement: Placement
    rng: random.Random
    scope: TaskScope
    config: LedgerClientConfig
