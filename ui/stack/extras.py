"""The optional parts of the installation, and which modules of theirs are missing here."""

from collections.abc import Mapping
from importlib.util import find_spec
from typing import Final

EXTRAS: Final[Mapping[str, tuple[str, ...]]] = {
    "vm": ("numpy", "cv2", "PIL"),
    "remove-background": ("onnxruntime", "rembg"),
    "caption": ("torch", "transformers"),
    "bridge": ("google.cloud.pubsub_v1", "httpx"),
    "service": ("google.auth", "python_multipart", "starlette", "structlog", "uvicorn"),
    "page": (
        *("argon2", "fastapi", "httpx", "joserfc", "nicegui"),
        *("PIL", "python_multipart", "starlette", "uvicorn"),
    ),
    "traces": ("opentelemetry.exporter.otlp.proto.http", "opentelemetry.sdk"),
    "lab": ("hdrh", "matplotlib", "PIL"),
    "gcs": ("gcsfs",),
    "s3": ("s3fs",),
    "azure": ("adlfs",),
}
"""The modules that each optional part brings."""

NEEDED: Final[Mapping[str, str]] = {
    "vm": "where a VM runs",
    "remove-background": "where a VM runs",
    "caption": "where a VM runs",
    "bridge": "where jobs overflow from",
    "service": "where the cloud service runs",
    "page": "where the page runs",
    "traces": "where traces are sent to a collector",
    "lab": "where `overspill bench` and `overspill replay` run",
    "gcs": "for a blob store at gs://",
    "s3": "for a blob store at s3://",
    "azure": "for a blob store at az://",
}
"""Where each is needed."""

_PARTS_OF: Final[Mapping[str, tuple[str, ...]]] = {"service": ("bridge", "vm", "service")}
"""The parts that a part is made of, where it is more than itself."""


def missing(extra: str) -> list[str]:
    """The modules that are not here of an optional part, those of the parts it needs included."""
    parts = _PARTS_OF.get(extra, (extra,))
    return [module for part in parts for module in EXTRAS[part] if not _is_here(module)]


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


def remedy(extra: str) -> str:
    """How to install a part."""
    return f"pip install 'overspill[{extra}]'"


def said_missing(extra: str) -> str | None:
    """What is not here of a part, in words, with how to get it; None when all of it is."""
    modules = missing(extra)
    return f"{', '.join(modules)} not installed ({remedy(extra)})" if modules else None
