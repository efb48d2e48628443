"""Schemas: how values become the bytes of messages, and what the broker is told about them.

    class Order(Record):
        number = Long(required=True)
        lines = Array(Line())

    JsonSchema(Order), AvroSchema(Order)

Dataclasses do as well. Bytes and definitions are those of Pulsar's official Python client.
"""

from magnetar.schema.avro import AvroSchema as AvroSchema
from magnetar.schema.errors import SchemaError as SchemaError
from magnetar.schema.fields import Array as Array
from magnetar.schema.fields import Boolean as Boolean
from magnetar.schema.fields import Bytes as Bytes
from magnetar.schema.fields import CustomEnum as CustomEnum
from magnetar.schema.fields import Double as Double
from magnetar.schema.fields import Field as Field
from magnetar.schema.fields import Float as Float
from magnetar.schema.fields import Integer as Integer
from magnetar.schema.fields import Long as Long
from magnetar.schema.fields import Map as Map
from magnetar.schema.fields import Null as Null
from magnetar.schema.fields import String as String
from magnetar.schema.record import Record as Record
from magnetar.schema.schemas import BytesSchema as BytesSchema
from magnetar.schema.schemas import JsonSchema as JsonSchema
from magnetar.schema.schemas import Schema as Schema
from magnetar.schema.schemas import SchemaInfo as SchemaInfo
from magnetar.schema.schemas import SchemaType as SchemaType
from magnetar.schema.schemas import StringSchema as StringSchema
