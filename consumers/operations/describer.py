"""The runner of `caption`: bytes to a sentence in JSON."""

import json
from collections.abc import Sequence

import numpy as np

from bus.errors import BadInput
from bus.problems import Kind, Problem
from consumers.models import CATALOGUE, Models, pull_hint
from consumers.operations.caption import CaptionParams
from consumers.operations.captioner import Captioner, Wording
from consumers.operations.decoding import Pixels, rgb
from consumers.operations.operation import Limits, Output, Runner, Unavailable
from consumers.operations.resizing import reduced

_AT_ONCE = 8
"""Pictures a decoder run takes: beyond it memory grows and the gain doesn't."""


class Describer(Runner):
    """Holds the captioner last named by a job; at first the default one."""

    def __init__(self, models: Models, threads: int = 1) -> None:
        """Raises Unavailable when the default captioner isn't on this machine or is damaged."""
        self._models, self._threads = models, threads
        self._name: str = CaptionParams().model
        if faults := models.faults(CATALOGUE[self._name]):
            raise Unavailable(f"caption has no model: {', '.join(faults)}; {pull_hint(self._name)}")
        self._captioner = self._opened(self._name)

    def warm_up(self) -> None:
        """Caption nothing once: the first run allocates."""
        self._captioner.captions([np.zeros((8, 8, 3), np.uint8)])

    def run(self, body: bytes, params: CaptionParams, limits: Limits) -> Output:
        """The caption of one picture. Raises BadInput when the picture or `params` are at fault."""
        captioner = self._chosen(params.model)
        return _output(captioner.captions([rgb(body, limits)], _wording(params))[0], params)

    def run_batch(self, bodies: Sequence[bytes], params: CaptionParams, limits: Limits) -> list[Output | BadInput]:
        """The captions of several pictures, the decoder run for up to eight at once."""
        try:
            captioner = self._chosen(params.model)
        except BadInput as fault:
            return [fault] * len(bodies)
        # Each is made small as it is decoded: eight of the largest together take more than a gigabyte.
        seen = [_seen(body, limits, captioner.side) for body in bodies]
        pictures = [picture for picture in seen if not isinstance(picture, BadInput)]
        groups = (pictures[first : first + _AT_ONCE] for first in range(0, len(pictures), _AT_ONCE))
        captions = iter([text for group in groups for text in captioner.captions(group, _wording(params))])
        return [found if isinstance(found, BadInput) else _output(next(captions), params) for found in seen]

    def _chosen(self, name: str) -> Captioner:
        if name != self._name:
            if faults := self._models.faults(CATALOGUE[name]):
                raise BadInput(_not_here(name, faults))
            self._name, self._captioner = name, self._opened(name)
        return self._captioner

    def _opened(self, name: str) -> Captioner:
        return Captioner(self._models.path(CATALOGUE[name]), self._threads)


def _seen(body: bytes, limits: Limits, side: int) -> Pixels | BadInput:
    try:
        return reduced(rgb(body, limits), side)
    except BadInput as fault:
        return fault


def _wording(params: CaptionParams) -> Wording:
    return Wording(params.prompt, params.length, params.beams)


def _output(caption: str, params: CaptionParams) -> Output:
    body = json.dumps({"caption": caption}, ensure_ascii=False).encode()
    return Output(body, "application/json", params.model)


def _not_here(name: str, faults: list[str]) -> Problem:
    detail = f"params.model: {name} is not on this machine ({', '.join(faults)})."
    remedy = f"Leave the model out. Whoever runs the machine can {pull_hint(name)}"
    return Problem.of(Kind.BAD_FIELD, detail, field="params.model", remedy=remedy)
