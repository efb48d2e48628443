"""Any request and any response, as hypothesis makes them up."""

from hypothesis import strategies as st
from magnetar_proto.bookie import DEFERRED_SYNC, FENCE, HIGH_PRIORITY, RECOVERY_ADD, Status
from magnetar_proto.bookkeeper import requests as req
from magnetar_proto.bookkeeper import responses as res
from magnetar_proto.bookkeeper.requests import VERSION_3, Request
from magnetar_proto.bookkeeper.responses import Response

versions_2 = st.integers(0, 2)
ids = st.integers(0, 2**63 - 1)
entry_ids = st.one_of(st.just(-1), ids)
txn_ids = st.integers(0, 2**64 - 1)
keys = st.binary(min_size=20, max_size=20)
blobs = st.binary(max_size=200)
entries = st.one_of(st.none(), st.binary(min_size=1, max_size=200))
sizes = st.one_of(st.none(), ids)
wire_statuses = [status for status in Status if status >= 0]
statuses = st.sampled_from(wire_statuses)
statuses_2 = st.sampled_from([s for s in wire_statuses if s is not Status.UNKNOWN_LEDGER_STATE])
three = st.just(VERSION_3)
names = st.text(max_size=20)


@st.composite
def adds(draw: st.DrawFn, version_3: bool) -> Request:
    ledger_id, entry_id = draw(ids), draw(ids)
    header = ledger_id.to_bytes(8, "big") + entry_id.to_bytes(8, "big")
    header += draw(st.binary(min_size=16, max_size=16))
    flags = draw(st.sampled_from([0, RECOVERY_ADD, HIGH_PRIORITY, RECOVERY_ADD | HIGH_PRIORITY]))
    if version_3:
        flags |= draw(st.sampled_from([0, DEFERRED_SYNC]))
    version, txn_id = (VERSION_3, draw(txn_ids)) if version_3 else (draw(versions_2), 0)
    payload = draw(st.binary(max_size=500))
    return req.AddRequest(version, txn_id, flags, ledger_id, entry_id, draw(keys), header, payload)


@st.composite
def reads(draw: st.DrawFn, version_3: bool) -> Request:
    flags = draw(st.sampled_from([0, FENCE, HIGH_PRIORITY, FENCE | HIGH_PRIORITY]))
    key = draw(keys) if flags & FENCE else b""
    ids_ = draw(ids), draw(entry_ids)
    if not version_3:
        return req.ReadRequest(draw(versions_2), 0, flags, *ids_, key)
    previous, timeout_ms = draw(st.one_of(st.just((None, 0)), st.tuples(entry_ids, ids)))
    if not flags & FENCE:
        flags |= draw(st.sampled_from([0, req.ENTRY_PIGGYBACK]))
    return req.ReadRequest(VERSION_3, draw(txn_ids), flags, *ids_, key, previous, timeout_ms)


@st.composite
def batch_reads(draw: st.DrawFn) -> Request:
    flags = draw(st.sampled_from([0, FENCE, HIGH_PRIORITY, FENCE | HIGH_PRIORITY]))
    key = draw(keys) if flags & FENCE else b""
    limit = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
    numbers = draw(ids), draw(ids), draw(ids), draw(limit[0]), draw(limit[1])
    return req.BatchReadRequest(draw(versions_2), flags, *numbers, key)


requests: st.SearchStrategy[Request] = st.one_of(
    adds(False),
    adds(True),
    reads(False),
    reads(True),
    batch_reads(),
    st.builds(req.AuthRequest, versions_2, st.just(0), names, blobs),
    st.builds(req.AuthRequest, three, txn_ids, names, blobs),
    st.builds(req.WriteLacRequest, txn_ids, ids, entry_ids, keys, blobs, version=three),
    st.builds(req.ReadLacRequest, txn_ids, ids, version=three),
    st.builds(req.ForceLedgerRequest, txn_ids, ids, version=three),
    st.builds(req.BookieInfoRequest, txn_ids, st.integers(0, 3), version=three),
    st.builds(req.ListEntriesRequest, txn_ids, ids, version=three),
    st.builds(req.StartTlsRequest, txn_ids, version=three),
)

responses: st.SearchStrategy[Response] = st.one_of(
    st.builds(res.AddResponse, versions_2, st.just(0), statuses_2, ids, entry_ids),
    st.builds(res.AddResponse, three, txn_ids, statuses, ids, entry_ids),
    st.builds(
        res.ReadResponse,
        versions_2,
        st.just(0),
        statuses_2,
        ids,
        entry_ids,
        entries,
        st.none(),
        st.none(),
    ),
    st.builds(
        res.ReadResponse,
        three,
        txn_ids,
        statuses,
        ids,
        entry_ids,
        entries,
        st.one_of(st.none(), entry_ids),
        sizes,
    ),
    st.builds(
        res.BatchReadResponse,
        versions_2,
        statuses_2,
        ids,
        ids,
        ids,
        st.lists(blobs, max_size=5).map(tuple),
    ),
    st.builds(res.AuthResponse, versions_2, st.just(0), st.just(Status.OK), names, blobs),
    st.builds(res.AuthResponse, three, txn_ids, statuses, names, blobs),
    st.builds(res.WriteLacResponse, txn_ids, statuses, ids, version=three),
    st.builds(res.ReadLacResponse, txn_ids, statuses, ids, entries, entries, version=three),
    st.builds(res.ForceLedgerResponse, txn_ids, statuses, ids, version=three),
    st.builds(res.BookieInfoResponse, txn_ids, statuses, sizes, sizes, version=three),
    st.builds(res.ListEntriesResponse, txn_ids, statuses, ids, entries, version=three),
    st.builds(res.StartTlsResponse, txn_ids, statuses, version=three),
    st.builds(
        res.ErrorResponse,
        three,
        txn_ids,
        st.sampled_from(req.Operation),
        st.sampled_from([status for status in wire_statuses if status]),
        st.just(-1),
        st.just(-1),
    ),
)
