from magnetar.message import Message
from magnetar.schema import BytesSchema, JsonSchema, Record, String
from magnetar.schema_support import decoder_of, encoder_of, wire_of


class Name(Record):
    name = String()


def test_bytes_need_nothing() -> None:
    for schema in (None, BytesSchema()):
        assert encoder_of(schema) is None
        assert wire_of(schema) is None
    assert decoder_of(None) is Message.data


def test_a_schema() -> None:
    schema = JsonSchema(Name)
    encode = encoder_of(schema)
    wire = wire_of(schema)
    assert encode is not None
    assert wire is not None
    assert b"Name" in wire.schema_data

    class Stub:
        def data(self) -> bytes:
            return encode(Name(name="x"))

    assert decoder_of(schema)(Stub()).name == "x"  # type: ignore[arg-type]
