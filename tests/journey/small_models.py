"""The models that tests can have: the small network for backgrounds, and a captioner of drawn scenes."""

import shutil
from pathlib import Path

from consumers.fetching import pull
from consumers.models import CATALOGUE, Models, record
from tests.needed import need_package

TESTS = Path(__file__).parents[1]
SMALL_CAPTIONER = Path(__file__).parent / "small_captioner"


def small_models(folder: Path) -> dict[str, str]:
    """Put both into `folder`; returns the settings of a VM that serves with them."""
    for package, extra in (("rembg", "remove-background"), ("torch", "caption"), ("transformers", "caption")):
        need_package(package, extra)
    models = Models(folder)
    pull(models, CATALOGUE["u2netp"], lambda _done, _whole: None)
    captioner = models.path(CATALOGUE["blip-image-captioning-base"])
    shutil.copytree(TESTS / "data" / "scenes-blip", captioner)
    record(captioner)
    return {"OVERSPILL_MODELS_DIR": str(folder), "PYTHONPATH": f"{SMALL_CAPTIONER}:{TESTS.parent}"}
