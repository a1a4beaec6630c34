"""The runner of `remove-background`: rembg's networks, with everything around them done in OpenCV.

A network sees a small square copy (320 pixels a side for U²-Net). rembg shrinks, enlarges, composites and writes full
pictures with Pillow, which at twelve megapixels takes several times as long as the network. Here rembg gets a copy that
already has the network's size, and its mask is enlarged, applied and written by OpenCV.
"""

import os
from typing import Any, Protocol

import cv2
import numpy as np
import onnxruntime  # before rembg, which ends the process without it
import rembg
from PIL import Image
from rembg.bg import alpha_matting_cutout

from bus.errors import BadInput
from bus.problems import Kind, Problem
from consumers.models import CATALOGUE, Models, pull_hint
from consumers.operations.decoding import Pixels, rgb_and_alpha
from consumers.operations.encoding import content_type, encode
from consumers.operations.operation import Limits, Output, Runner, Unavailable
from consumers.operations.remove_background import RemoveBackgroundParams
from consumers.operations.resizing import reduced

_MATTING_PIXELS = 250_000
"""Matting solves for every unknown pixel: on a full picture it takes minutes and gigabytes."""
_SESSIONS_KEPT = 2


class Session(Protocol):
    """What of rembg's sessions is used."""

    inner_session: Any

    def predict(self, img: Image.Image) -> list[Image.Image]:
        """One mask of the picture's size: 255 where the subject is."""


class Cutter(Runner):
    """Holds the default network, and the last other one a job named."""

    def __init__(self, models: Models, threads: int = 1) -> None:
        """Raises Unavailable when the default network isn't on this machine or is damaged."""
        cv2.setNumThreads(threads)
        self._models, self._threads = models, threads
        self._sessions: dict[str, Session] = {}
        default = RemoveBackgroundParams().model
        if faults := models.faults(CATALOGUE[default]):
            raise Unavailable(f"remove-background has no model: {', '.join(faults)}; {pull_hint(default)}")
        self._sessions[default] = open_session(models, default, threads)

    def warm_up(self) -> None:
        """Run the default network once: the first run allocates."""
        mask_of(next(iter(self._sessions.values())), np.zeros((8, 8, 3), np.uint8))

    def run(self, body: bytes, params: RemoveBackgroundParams, limits: Limits) -> Output:
        """The subject of one picture, cut out. Raises BadInput when the picture or `params` are at fault."""
        session = self._session(params.model)
        colours, opacity = rgb_and_alpha(body, limits)
        mask = mask_of(session, colours)
        if params.alpha_matting:
            mask = matted(colours, mask)
        if opacity is not None:
            mask = _uint8(cv2.multiply(mask, opacity, scale=1 / 255))
        cut = cut_out(colours, mask) if params.background is None else laid_on(colours, mask, params.background)
        return Output(encode(cut, params.format, params.quality), content_type(params.format), params.model)

    def _session(self, name: str) -> Session:
        if name not in self._sessions:
            if faults := self._models.faults(CATALOGUE[name]):
                raise BadInput(_not_here(name, faults, self._models))
            while len(self._sessions) >= _SESSIONS_KEPT:
                self._sessions.popitem()
            self._sessions[name] = open_session(self._models, name, self._threads)
        return self._sessions[name]


def open_session(models: Models, name: str, threads: int) -> Session:
    """Load a network from the models folder; never from the network."""
    os.environ["U2NET_HOME"] = str(models.folder / "rembg")  # rembg's one way of being told
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would take the processor from the other slots while they wait.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session: Session = rembg.new_session(name, sess_opts=options, providers=["CPUExecutionProvider"])
    return session


def mask_of(session: Session, colours: Pixels) -> Pixels:
    """Where the subject is: 0 to 255, shape (height, width), for a picture of shape (height, width, 3)."""
    height, width = colours.shape[:2]
    mask = session.predict(shrunk(colours, input_side(session)))[0]
    return _uint8(cv2.resize(np.asarray(mask, np.uint8), (width, height), interpolation=cv2.INTER_CUBIC))


def input_side(session: Session) -> int:
    """Pixels a side of the square the network sees; 1,024 where the network takes any."""
    side = session.inner_session.get_inputs()[0].shape[-1]
    return side if isinstance(side, int) else 1024


def shrunk(colours: Pixels, side: int) -> Image.Image:
    """The picture in a square, as rembg shrinks it (Lanczos), from an exact half, quarter or eighth if it is large."""
    return Image.fromarray(reduced(colours, side)).resize((side, side), Image.Resampling.LANCZOS)


def matted(colours: Pixels, mask: Pixels) -> Pixels:
    """The mask, its edges solved for on a copy of at most a quarter megapixel (Levin, Lischinski and Weiss 2008)."""
    height, width = mask.shape
    scale = min(1.0, (_MATTING_PIXELS / mask.size) ** 0.5)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small, rough = (
        Image.fromarray(_uint8(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))) for plane in (colours, mask)
    )
    try:
        solved = np.asarray(alpha_matting_cutout(small, rough, 240, 10, 10))[:, :, 3]
    except ValueError:  # nothing that is surely subject, or surely not
        return mask
    return _uint8(cv2.resize(solved, (width, height), interpolation=cv2.INTER_CUBIC))


def cut_out(colours: Pixels, mask: Pixels) -> Pixels:
    """RGBA, shape (height, width, 4). What was removed is gone from the colours too, not only hidden."""
    return _uint8(cv2.copyTo(cv2.merge([*cv2.split(colours), mask]), mask))


def laid_on(colours: Pixels, mask: Pixels, background: str) -> Pixels:
    """RGB: the subject on a colour, `#rrggbb`."""
    paper = np.empty_like(colours)
    paper[:] = tuple(bytes.fromhex(background[1:]))
    cover = cv2.merge([mask, mask, mask])
    subject = cv2.multiply(colours, cover, scale=1 / 255)
    return _uint8(cv2.add(subject, cv2.multiply(paper, cv2.bitwise_not(cover), scale=1 / 255)))


def _not_here(name: str, faults: list[str], models: Models) -> Problem:
    here = [other for other, weights in CATALOGUE.items() if weights.operation == "remove-background"]
    here = [other for other in here if not models.missing(CATALOGUE[other])]
    detail = f"params.model: {name} is not on this machine ({', '.join(faults)})."
    remedy = f"Ask for one of: {', '.join(here)}. Whoever runs the machine can {pull_hint(name)}"
    return Problem.of(Kind.BAD_FIELD, detail, field="params.model", remedy=remedy)


def _uint8(array: object) -> Pixels:
    return np.asarray(array, np.uint8)
