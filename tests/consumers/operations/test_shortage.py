"""A lack of memory, as each library says it, is told from other faults."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from consumers.operations.shortage import is_shortage
from tests.needed import need_package

HUGE = 1 << 46


def raised_by_opencv() -> Exception:
    with pytest.raises(cv2.error) as caught:
        cv2.copyMakeBorder(np.zeros((1, 1, 4), np.float64), 0, (1 << 31) - 9, 0, (1 << 16) - 9, cv2.BORDER_CONSTANT)
    return caught.value


def test_of_opencv() -> None:
    assert is_shortage(raised_by_opencv())


def test_of_python_and_numpy() -> None:
    with pytest.raises(MemoryError) as python:
        bytearray(HUGE)
    with pytest.raises(MemoryError) as numpy:
        np.zeros(HUGE, np.uint8)
    assert is_shortage(python.value)
    assert is_shortage(numpy.value)


def test_of_torch() -> None:
    torch = need_package("torch", "caption")
    with pytest.raises(RuntimeError) as caught:
        torch.empty(HUGE)
    assert is_shortage(caught.value)


@pytest.mark.parametrize("error", [ValueError("bad"), RuntimeError("I have no memory of that"), KeyError("memory")])
def test_nothing_else_is_taken_for_one(error: Exception) -> None:
    assert not is_shortage(error)


CAPPED = """
import resource, sys
from pathlib import Path
from consumers.operations.decoding import luma, rgb
from consumers.operations.operation import Limits
from consumers.operations.shortage import is_shortage
used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_DATA, (used + (20 << 20),) * 2)
for decode in (luma, rgb):
    try:
        decode(Path(sys.argv[1]).read_bytes(), Limits())
    except Exception as error:
        print(is_shortage(error))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is capped on Linux alone")
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_picture_is_not_blamed_for_it(kind: str, tmp_path: Path) -> None:
    picture = tmp_path / "picture"
    Image.new("RGB", (7000, 7000)).save(picture, kind)
    done = subprocess.run([sys.executable, "-c", CAPPED, picture], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "True"], done.stdout
