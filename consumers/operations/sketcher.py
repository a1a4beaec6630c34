"""The runner of `sketch`: bytes to drawing to bytes."""

import cv2

from consumers.operations import drawing
from consumers.operations.decoding import Pixels, luma, rgb
from consumers.operations.encoding import content_type, encode
from consumers.operations.operation import Limits, Output, Runner
from consumers.operations.sketch import SketchParams

MODEL = "overspill-sketch-1"
_CREAM = (250, 243, 228)


class Sketcher(Runner):
    """Draws with OpenCV; holds nothing but the paper's texture."""

    def __init__(self, threads: int = 1) -> None:
        cv2.setNumThreads(threads)
        self._texture = drawing.paper_texture()

    def run(self, body: bytes, params: SketchParams, limits: Limits) -> Output:
        """The drawing of one picture. Raises BadInput when the picture is at fault."""
        drawn = drawing.strengthen(self._drawn(body, params, limits), params.strength)
        result = encode(self._on_paper(drawn, params), params.format, params.quality)
        return Output(result, content_type(params.format), MODEL)

    def _drawn(self, body: bytes, params: SketchParams, limits: Limits) -> Pixels:
        match params.style:
            case "coloured":
                return drawing.coloured(rgb(body, limits))
            case "charcoal":
                return drawing.charcoal(luma(body, limits), self._texture)
            case "pencil":
                return drawing.pencil(luma(body, limits))

    def _on_paper(self, drawn: Pixels, params: SketchParams) -> Pixels:
        match params.paper:
            case "cream":
                return drawing.tint(drawn, _CREAM)
            case "rough":
                return drawing.roughen(drawn, self._texture)
            case "white":
                return drawn
