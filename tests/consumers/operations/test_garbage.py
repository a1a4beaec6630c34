"""Whatever bytes come in, the only exception that comes out is BadInput."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.errors import BadInput
from consumers.operations.decoding import luma, rgb_and_alpha
from consumers.operations.operation import Limits
from tests.consumers.operations.pictures import gradient, saved

LIMITS = Limits(max_bytes=100_000, max_pixels=10_000)
FORMATS = ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]
WHOLE = {name: saved(gradient(), name) for name in FORMATS}


def read(body: bytes) -> None:
    with contextlib.suppress(BadInput):
        assert luma(body, LIMITS).ndim == 2
    with contextlib.suppress(BadInput):
        assert rgb_and_alpha(body, LIMITS)[0].ndim == 3


@given(body=st.binary(max_size=200))
@settings(max_examples=60, deadline=None)
def test_noise(body: bytes) -> None:
    read(body)


@pytest.mark.parametrize("name", FORMATS)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_cut_short_and_scribbled_on(name: str, data: st.DataObject) -> None:
    whole = WHOLE[name]
    body = bytearray(whole[: data.draw(st.integers(0, len(whole)), label="cut")])
    places = st.integers(0, max(0, len(body) - 1))
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), max_size=8), label="scribbles"):
        if body:
            body[place] = value
    read(bytes(body))
