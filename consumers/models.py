"""Where models' weights lie on this machine."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Models:
    """The one folder that holds every model's weights."""

    folder: Path
