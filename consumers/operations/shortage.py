"""Telling a lack of memory from other faults. Pure."""

from typing import Final

_SAID_BY: Final = {
    "OpenCV": "Insufficient memory",
    "PyTorch": "can't allocate memory",
    "ONNX Runtime": "Failed to allocate memory",
    "C++": "std::bad_alloc",
}


def is_shortage(error: BaseException) -> bool:
    """Whether an error means that memory ran out: each of the libraries that compute says so in its own way."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _SAID_BY.values())
