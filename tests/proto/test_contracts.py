"""The generated modules: names and numbers by rule, kept bytes of the real systems read."""

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from magnetar_proto import bookkeeper_metadata_pb2 as bookkeeper
from magnetar_proto import bookkeeper_wire_pb2 as wire
from magnetar_proto import managed_ledger_pb2 as managed_ledger
from magnetar_proto import pulsar_api_pb2 as api

MINUS_ONE = bytes.fromhex("ffffffffffffffffff01")


def field(message: Descriptor, name: str) -> FieldDescriptor:
    found = message.fields_by_name[name]
    assert isinstance(found, FieldDescriptor)
    return found


def test_files_and_packages_are_our_own() -> None:
    for module, name in (
        (api, "pulsar_api"),
        (managed_ledger, "managed_ledger"),
        (bookkeeper, "bookkeeper_metadata"),
        (wire, "bookkeeper_wire"),
    ):
        assert module.DESCRIPTOR.name == f"magnetar_proto/{name}.proto"
        assert module.DESCRIPTOR.package.startswith("magnetar.")


def test_ack_sets_are_signed_and_not_packed() -> None:
    data = api.MessageIdData(ledgerId=1, entryId=2, ack_set=[-1, 3]).SerializeToString()
    assert data == bytes.fromhex("08011002") + b"\x28" + MINUS_ONE + b"\x28\x03"


def test_defaults_of_the_protocol() -> None:
    assert api.MessageIdData().partition == -1
    assert api.MessageIdData().batch_index == -1
    assert api.CommandProducerSuccess().last_sequence_id == -1
    assert api.CommandProducerSuccess().producer_ready is True
    assert api.CommandSubscribe().durable is True
    assert api.CommandSubscribe().force_topic_creation is True
    assert api.CommandSend().num_messages == 1
    assert api.MessageMetadata().num_messages_in_batch == 1
    assert api.CommandPartitionedTopicMetadata().metadata_auto_creation_enabled is True


def test_message_ids_of_a_whole_position_are_unsigned() -> None:
    for name in ("ledgerId", "entryId"):
        assert field(api.MessageIdData.DESCRIPTOR, name).type == FieldDescriptor.TYPE_UINT64


def test_ledger_metadata_as_java_reads_it() -> None:
    # Written from Python and recovered by BookKeeper 4.17.2.
    members = [f"127.0.0.1:2318{index}" for index in (1, 2, 3)]
    metadata = bookkeeper.LedgerMetadataFormat(
        quorumSize=3, ensembleSize=3, length=0, lastEntryId=-1, ackQuorumSize=2, cToken=12345
    )
    metadata.state = bookkeeper.LedgerMetadataFormat.OPEN
    metadata.digestType = bookkeeper.LedgerMetadataFormat.CRC32C
    metadata.password = b"secret"
    metadata.segment.add(ensembleMember=members, firstEntryId=0)
    names = b"".join(b"\x0a\x0f" + member.encode() for member in members)
    expected = (
        bytes.fromhex("080310031800") + b"\x20" + MINUS_ONE + b"\x28\x01"
        b"\x32\x35" + names + b"\x10\x00" + bytes.fromhex("38034206") + b"secret"
        b"\x48\x02\x60\xb9\x60"
    )
    assert metadata.SerializeToString() == expected


def test_service_info_as_java_reads_it() -> None:
    info = bookkeeper.BookieServiceInfoFormat()
    info.endpoints.add(id="bookie", port=23181, host="127.0.0.1", protocol="bookie-rpc")
    expected = b"\x32\x23\x0a\x06bookie\x10\x8d\xb5\x01\x1a\x09127.0.0.1\x22\x0abookie-rpc"
    assert info.SerializeToString() == expected


def test_an_offload_context_is_carried_through() -> None:
    ledger = managed_ledger.ManagedLedgerInfo.LedgerInfo(ledgerId=3, offloadContext=b"\x08\x01")
    info = managed_ledger.ManagedLedgerInfo(ledgerInfo=[ledger])
    again = managed_ledger.ManagedLedgerInfo.FromString(info.SerializeToString())
    assert again.ledgerInfo[0].offloadContext == b"\x08\x01"


def test_a_cursor_without_a_ledger_is_at_minus_one() -> None:
    info = managed_ledger.ManagedCursorInfo(cursorsLedgerId=-1)
    assert info.SerializeToString() == b"\x08" + MINUS_ONE
