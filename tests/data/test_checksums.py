"""The CRC-32C of TFRecord files: known values, another algorithm, and the library that may compute it."""

import sys
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tf1ref.data.formats import records


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        # RFC 3720, B.4, and the check value of the CRC catalogue
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"123456789", 0xE3069283),
        (b"", 0),
    ],
)
def test_crc32c_of_known_data(data, crc):
    assert records.crc32c(data) == crc


@pytest.fixture
def library(monkeypatch):
    """Puts a google_crc32c of that implementation into the place of the real one; it answers 5."""

    def put(implementation):
        module = types.SimpleNamespace(
            implementation=implementation, value=lambda data: 5 if type(data) is bytes else 0
        )
        monkeypatch.setitem(sys.modules, "google_crc32c", module)
        records._library.cache_clear()

    yield put
    monkeypatch.undo()
    records._library.cache_clear()


def test_google_crc32c_computes_where_it_has_its_c_code(library):
    for implementation, answer in (("c", 5), ("python", 0xE3069283)):
        library(implementation)
        assert records.crc32c(memoryview(b"123456789")) == answer


def test_google_crc32c_and_numpy_agree(monkeypatch):
    pytest.importorskip("google_crc32c")
    data = bytes(range(251)) * 7
    by_library = records.crc32c(data)
    monkeypatch.setattr(records, "_library", lambda: None)
    assert records.crc32c(data) == by_library


def bit_by_bit(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 3000), st.integers(0, 255))
def test_crc32c_of_any_length_is_that_of_the_bitwise_algorithm(length, first):
    data = bytes((first + i * i) % 256 for i in range(length))
    assert records.crc32c(data) == bit_by_bit(data)
