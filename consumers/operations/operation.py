"""What an operation is: its description, light enough for every process, and the runner that does the work."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from bus.errors import BadInput, SetupError
from bus.problems import bad_field
from consumers.models import CATALOGUE, Models, pull_hint

ImageFormat = Literal["png", "jpeg", "webp"]


class Params(BaseModel):
    """What a caller may ask of an operation; a name it doesn't know is an error, not a silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest picture taken: `max_bytes` as it came, `max_pixels` (width x height) once decoded."""

    max_bytes: int = 16 << 20
    max_pixels: int = 50_000_000


@dataclass(frozen=True, slots=True)
class Output:
    """A result: the answer's body and content type, and the program or network that made it."""

    body: bytes
    content_type: str
    model: str


class Unavailable(SetupError):
    """This machine can't run the operation; the message says why and how to mend it."""


def require(models: Models, operation: str, name: str, *, package: str) -> None:
    """Make sure that a package is here and a model was pulled, before anything heavy is imported.

    Raises ModuleNotFoundError, or Unavailable for the model: without the package it would be of no use.
    """
    if find_spec(package) is None:
        raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    if models.missing(CATALOGUE[name]):
        raise Unavailable(f"{operation} has no model: {name} isn't on this machine; {pull_hint(name)}")


class Runner(ABC):
    """A loaded operation: serves one job, or one batch, at a time."""

    @abstractmethod
    def run(self, body: bytes, params: Any, limits: Limits) -> Output:
        """The result for one picture; `params` is an instance of the operation's own model.

        Raises BadInput when the picture or a parameter is at fault.
        """

    def run_batch(self, bodies: Sequence[bytes], params: Any, limits: Limits) -> list[Output | BadInput]:
        """The results for pictures with the same parameters, in order; one that is at fault spoils only its own."""
        return [self._attempt(body, params, limits) for body in bodies]

    def _attempt(self, body: bytes, params: Any, limits: Limits) -> Output | BadInput:
        try:
            return self.run(body, params, limits)
        except BadInput as fault:
            return fault

    def warm_up(self) -> None:  # noqa: B027 (most runners are warm once loaded)
        """Do once, on no caller's time, what makes a first job slow."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing overspill can do to a picture.

    `loader` makes the runner, from the models folder and the threads it may use; it alone imports heavy packages, those
    of the optional dependencies `extra`. `seconds` predicts a run on one core from the picture's megapixels.
    `batchable` says that a batch is measurably faster than its jobs one by one.
    """

    name: str
    params: type[Params]
    loader: Callable[[Models, int], Runner]
    seconds: Callable[[float], float]
    extra: str = "vm"
    batchable: bool = False

    def parse(self, params: Mapping[str, Any]) -> Params:
        """The caller's parameters, checked. Raises BadInput naming the one that is wrong."""
        try:
            return self.params.model_validate(params)
        except ValidationError as error:
            raise BadInput(bad_field(error, "params")) from None

    def load(self, models: Models, threads: int = 1) -> Runner:
        """Load everything a run needs; takes seconds. Raises Unavailable, saying why and how to mend it."""
        try:
            return self.loader(models, threads)
        except ImportError as error:
            raise Unavailable(
                f"{self.name} needs the package {error.name or error}: pip install 'overspill[{self.extra}]'"
            ) from error
