"""Frames to words and back: commands in protobuf's text format, with what varies by run masked.

Masked in replies: ledger ids (`$L1` is the first that the script has seen), generated names, times,
addresses, rates, versions. The texts of errors are left out: they are for people, and ours are our
own; so are fields with their default value, which say no more than absent ones, and the
`highest_sequence_id` in the receipt of a single message, for which Apache Pulsar writes -1, the
sequence id or that of an earlier message, as it happens. `$MAX` is -1 as the protocol writes it,
`$LATEST` the end of a topic, `$NOW+100` a time of day 100 ms from now.
"""

import json
import re
import time
from typing import Any, Final

from google.protobuf import text_format
from google.protobuf.message import Message
from magnetar_proto import pulsar_api_pb2 as api
from magnetar_proto.batches import join_batch, split_batch
from magnetar_proto.commands import FIELD_OF_KIND
from magnetar_proto.frames import Frame, encode_command, encode_payload_command
from magnetar_proto.payloads import encode_payload, parse_metadata

MAX: Final = 2**64 - 1
LATEST: Final = 2**63 - 1
_UNMASKED_LEDGERS: Final = {MAX, LATEST}
_LEFT_OUT: Final = {"message", "error_message"}
_VARYING: Final = {
    "server_version",
    "address",
    "connectedSince",
    "msgRateOut",
    "msgThroughputOut",
    "msgRateRedeliver",
    "msgRateExpired",
    "messageAckRate",
    "brokerServiceUrl",
    "brokerServiceUrlTls",
}
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_LEDGER_FIELD: Final = re.compile(r"ledgerId: (\d+)")
_NAME_FIELD: Final = re.compile(r'(producer_name|consumerName): ("(?:[^"\\]|\\.)*")')


class Wording:
    """The words of one script on one broker; remembers which ids and names came first."""

    def __init__(self, topic: str, namespace: str) -> None:
        self._topic = topic
        self._namespace = namespace
        self._ledgers: list[str] = []
        self._names: list[str] = []
        self._said = ""

    # Out.

    def expand(self, text: str) -> str:
        """The text with ids and names for its placeholders."""
        self._said += text
        text = text.replace("$T", self._topic).replace("$NS", self._namespace)
        text = text.replace("$MAX", str(MAX)).replace("$LATEST", str(LATEST))
        text = re.sub(r"\$NOW\+(\d+)", _time_of_day, text)
        return re.sub(r"\$L(\d+)", lambda found: self._ledgers[int(found[1]) - 1], text)

    def frame(self, verb: str, text: str) -> bytes:
        """The frame of a command, `text` being its fields and perhaps its payload."""
        fields, _, payload = self.expand(text).partition(" | ")
        base = api.BaseCommand()
        command = getattr(base, FIELD_OF_KIND[api.BaseCommand.Type.Value(verb)])
        text_format.Parse(fields, command)
        if not payload:
            return encode_command(command)
        body = _payload(command, payload)
        return encode_payload_command(command, body) + body

    # In.

    def reply(self, frame: Frame) -> str:
        """What came, in words."""
        kind, message, payload = frame
        verb = api.BaseCommand.Type.Name(api.BaseCommand.Type.ValueType(kind))
        words = f"{verb} {self._fields(message)}".rstrip()
        if payload is not None:
            words += f" | {_bodies(payload)}"
        return words

    def _fields(self, message: Message) -> str:
        shown = type(message)()
        shown.CopyFrom(message)
        for name in _LEFT_OUT:
            if name in shown.DESCRIPTOR.fields_by_name and _is_text(shown, name):
                shown.ClearField(name)
        if isinstance(shown, api.CommandSendReceipt) and not (
            shown.sequence_id < shown.highest_sequence_id < MAX
        ):
            shown.ClearField("highest_sequence_id")
        _drop_defaults(shown)
        text = text_format.MessageToString(shown, as_one_line=True)
        text = _LEDGER_FIELD.sub(self._ledger, text)
        text = _NAME_FIELD.sub(self._name, text)
        for name in _VARYING:
            text = re.sub(rf'\b{name}: ("(?:[^"\\]|\\.)*"|\S+)', f"{name}: $X", text)
        text = text.replace(str(MAX), "$MAX").replace(str(LATEST), "$LATEST")
        return text.replace(self._topic, "$T").replace(self._namespace, "$NS")

    def _ledger(self, found: re.Match[str]) -> str:
        if int(found[1]) in _UNMASKED_LEDGERS:
            return found[0]
        if found[1] not in self._ledgers:
            self._ledgers.append(found[1])
        return f"ledgerId: $L{self._ledgers.index(found[1]) + 1}"

    def _name(self, found: re.Match[str]) -> str:
        if found[2] in self._said or found[2] == '""':
            return found[0]
        if found[2] not in self._names:
            self._names.append(found[2])
        return f"{found[1]}: $N{self._names.index(found[2]) + 1}"


def _time_of_day(found: re.Match[str]) -> str:
    return str(time.time_ns() // 1_000_000 + int(found[1]))


def _drop_defaults(message: Message) -> None:
    for field, value in message.ListFields():
        if field.is_repeated or field.is_required:
            continue
        if field.message_type is not None:
            _drop_defaults(value)
        elif value == field.default_value and field.name not in _VARYING:
            message.ClearField(field.name)


def _is_text(message: Message, name: str) -> bool:
    return isinstance(getattr(message, name), str)


def _payload(command: Any, text: str) -> bytes:
    """`"body"`, or several: a batch; in front `!` (a wrong checksum) or `-` (none), [FIELDS]."""
    mark, text = (text[0], text[2:]) if text[0] in "!-" else ("", text)
    head, _, rest = text.partition("] ") if text.startswith("[") else ("[", "", text)
    metadata = api.MessageMetadata(
        producer_name="p", sequence_id=command.sequence_id, publish_time=1
    )
    text_format.Merge(head[1:], metadata)
    bodies = [json.loads(word).encode() for word in _STRING.findall(rest)]
    payload = encode_payload(metadata, _body(metadata, bodies), checksum=mark != "-")
    return payload[:-1] + bytes([payload[-1] ^ 1]) if mark == "!" else payload


def _body(metadata: api.MessageMetadata, bodies: list[bytes]) -> bytes:
    if len(bodies) > 1:
        metadata.num_messages_in_batch = len(bodies)
    if not metadata.HasField("num_messages_in_batch"):
        return bodies[0]
    return join_batch((api.SingleMessageMetadata(payload_size=0), body) for body in bodies)


def _bodies(payload: bytes) -> str:
    metadata, start = parse_metadata(payload)
    bodies = [payload[start:]]
    if metadata.HasField("num_messages_in_batch"):
        bodies = [body for _, body in split_batch(bodies[0], metadata.num_messages_in_batch)]
    return " ".join(json.dumps(body.decode()) for body in bodies)
