"""Who may use a bookie over the network.

With roles a client may do nothing until it has shown, by TLS, a certificate that has one of them.
BookKeeper's form of a role: the organizational unit is `0:ROLE,OTHER;1:CLUSTER`, and its first role
counts.
"""

import re
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from magnetar_proto.bookie import Status
from magnetar_proto.bookkeeper import requests as req
from magnetar_proto.bookkeeper.requests import VERSION_3, AddRun, Operation, Request
from magnetar_proto.bookkeeper.responses import AddResponse, ErrorResponse, ReadResponse, Response

_ROLES: Final = re.compile(r"0:(.*)")


@dataclass(frozen=True, slots=True)
class ServiceSecurity:
    """What a service asks of its clients.

    Attributes:
        tls: what START_TLS begins; None if it is refused.
        roles: of which a client must have one; empty if everybody may come.
        handshake_timeout_ms: who has not finished by then is disconnected.
    """

    tls: ssl.SSLContext | None = None
    roles: frozenset[str] = frozenset()
    handshake_timeout_ms: int = 10_000


def role_of(certificate: Mapping[str, Any] | None) -> str | None:
    """The role that a certificate gives, in the form of `ssl.SSLSocket.getpeercert`."""
    subject = certificate.get("subject", ()) if certificate else ()
    units = [value for names in subject for key, value in names if key == "organizationalUnitName"]
    for part in units[0].split(";") if units else ():
        if found := _ROLES.fullmatch(part.strip()):
            return found[1].split(",")[0].strip() or None
    return None


def refusals_of(request: Request | AddRun) -> Sequence[Response]:
    """What a client without a role is answered; nothing if it is disconnected, as by BookKeeper."""
    refused = Status.UNAUTHORIZED
    if isinstance(request, AddRun):
        version, ledger_id = request.version, request.ledger_id
        return [AddResponse(version, 0, refused, ledger_id, each) for each in request.entry_ids]
    if request.version == VERSION_3:
        operation = _operation_of(request)
        txn_id = 0 if isinstance(request, req.BatchReadRequest) else request.txn_id
        return [ErrorResponse(VERSION_3, txn_id, operation, refused)]
    if isinstance(request, req.AddRequest):
        return [AddResponse(request.version, 0, refused, request.ledger_id, request.entry_id)]
    if isinstance(request, req.ReadRequest):
        return [ReadResponse(request.version, 0, refused, request.ledger_id, request.entry_id)]
    return ()


def _operation_of(request: Request) -> int:
    if isinstance(request, req.RefusedRequest):
        return request.operation
    return _OPERATIONS[type(request)]


_OPERATIONS: Final[Mapping[type, Operation]] = {
    req.AddRequest: Operation.ADD_ENTRY,
    req.ReadRequest: Operation.READ_ENTRY,
    req.AuthRequest: Operation.AUTH,
    req.WriteLacRequest: Operation.WRITE_LAC,
    req.ReadLacRequest: Operation.READ_LAC,
    req.ForceLedgerRequest: Operation.FORCE_LEDGER,
    req.BookieInfoRequest: Operation.GET_BOOKIE_INFO,
    req.ListEntriesRequest: Operation.GET_LIST_OF_ENTRIES_OF_LEDGER,
    req.StartTlsRequest: Operation.START_TLS,
}
