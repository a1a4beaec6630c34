"""Headers arrive as they were sent, and none of them can end the connection."""

import math
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from pika import data
from pika.spec import BasicProperties

import bus.rabbit  # noqa: F401 (importing it is what changes pika)


def field(kind: bytes, value: bytes) -> bytes:
    return b"\x01k" + kind + value


def table(*fields: bytes) -> bytes:
    inner = b"".join(fields)
    return struct.pack(">I", len(inner)) + inner


def received(encoded: bytes) -> Any:
    """The field `k` of a message's headers, read as pika reads a delivery."""
    properties = BasicProperties()
    properties.decode(struct.pack(">H", BasicProperties.FLAG_HEADERS) + encoded)
    return (properties.headers or {}).get("k")


@pytest.mark.parametrize(("kind", "form"), [(b"d", ">d"), (b"f", ">f")])
@pytest.mark.parametrize("number", [0.5, -0.25, 3.0, 1e30])
def test_a_fraction_stays_one(kind: bytes, form: str, number: float) -> None:
    assert received(table(field(kind, struct.pack(form, number)))) == pytest.approx(number)


@pytest.mark.parametrize("number", [math.inf, -math.inf])
def test_infinity_can_be_read(number: float) -> None:
    assert received(table(field(b"d", struct.pack(">d", number)))) == number


def test_what_is_no_number_can_be_read() -> None:
    assert math.isnan(received(table(field(b"d", struct.pack(">d", math.nan)))))


def test_a_time_is_a_time_as_long_as_there_are_years_for_it() -> None:
    assert received(table(field(b"T", struct.pack(">Q", 0)))) == datetime(1970, 1, 1, tzinfo=UTC)
    assert received(table(field(b"T", struct.pack(">Q", 2**63)))) == 2**63


def test_tables_without_end_are_read_as_empty() -> None:
    nested = table()
    for _ in range(5000):
        nested = table(field(b"F", nested))
    value = received(table(field(b"F", nested), b"\x01l" + b"t\x01"))
    assert value is None or isinstance(value, dict)


def test_the_fields_after_it_are_still_read() -> None:
    lists = b""
    for _ in range(5000):
        lists = b"A" + struct.pack(">I", len(lists)) + lists
    inner = table(b"\x01a" + lists)
    assert received(table(b"\x01x" + b"F" + inner, field(b"S", struct.pack(">I", 1) + b"v"))) == "v"


def test_all_else_is_read_by_pika_itself() -> None:
    sent = {"text": "é", "whole": 7, "yes": True, "none": None, "table": {"a": [1, "b", 0.5]}, "bytes": b"\xff"}
    pieces: list[bytes] = []
    data.encode_table(pieces, {**sent, "table": {"a": [1, "b"]}})
    assert data.decode_table(b"".join(pieces), 0)[0] == {**sent, "table": {"a": [1, "b"]}}
