"""Takes the pictures of the page that the docs show, of a whole overspill that works: `python docs/pictures/page.py`.

It takes some three minutes, most of them so that the dashboard has something to tell. It needs what the tests need:
`make test` says what is missing. Whose the photographs are is in `tests/data/photographs/CREDITS.md`.
"""

import asyncio
import io
import itertools
import random
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psutil
from PIL import Image
from playwright.sync_api import Browser, Page, expect

HERE: Final = Path(__file__).resolve().parent
ROOT: Final = HERE.parent.parent
sys.path.insert(0, str(ROOT))  # so that it runs from any folder, installed or not

from producers.client import AsyncClient  # noqa: E402 (after the path it needs)
from tests.browsers import browser  # noqa: E402
from tests.data.scenes_blip.scenes import scene  # noqa: E402
from tests.emulators import running  # noqa: E402
from tests.journey.clouds import Site  # noqa: E402
from tests.journey.small_models import small_models  # noqa: E402
from tests.journey.visiting import card, cards, vm  # noqa: E402
from tests.ui.web.pages.studio import Studio, looking, open_studio  # noqa: E402
from ui.stack.emulator import PubSubEmulator  # noqa: E402
from ui.stack.rabbitmq import PrivateBroker  # noqa: E402

PHOTOGRAPHS: Final = ROOT / "tests" / "data" / "photographs"
MOST_BYTES: Final = 200_000
WORKED_S: Final = 110
"""How long the dashboard has seen work when its picture is taken: nearly all of its shortest range."""
RANGE: Final = "localStorage.setItem('overspill.dashboard.minutes', '2')"
DRAWN: Final = """() => [...document.images].every((image) => image.complete && image.naturalWidth
  || image.getBoundingClientRect().top > innerHeight)"""
"""What is further down is fetched when somebody looks at it."""
WIDE: Final[dict[str, Any]] = {"viewport": {"width": 1280, "height": 1490}}
PHONE: Final[dict[str, Any]] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@contextmanager
def stack(folder: Path) -> Iterator[Studio]:
    """A page, a router, three VMs, and a bridge to a cloud that is played on this machine."""
    (folder / "broker").mkdir()
    broker = PrivateBroker(folder / "broker")
    broker.start()
    try:
        with running(folder) as emulator, whole(broker, emulator, folder) as studio:
            yield studio
    finally:
        broker.stop()


@contextmanager
def whole(broker: PrivateBroker, emulator: PubSubEmulator, folder: Path) -> Iterator[Studio]:
    """The same on a broker and an emulator that run."""
    models, site = small_models(folder / "models"), Site(emulator)
    with open_studio(broker.add_vhost("pictures"), folder, PYTHONPATH=str(ROOT), **site.settings) as studio:
        processes = studio.processes
        processes.start_router()
        processes.start_service()
        processes.start_bridge()
        processes.start_vm("vm1", 2, "sketch,remove-background", **models)
        processes.start_vm("vm2", 2, "sketch,caption", **models)
        processes.start_vm("vm3", 2)
        processes.wait_ready("vm1", "vm2", "vm3", cloud=True)
        yield studio


# -- work for the dashboard to tell of


@contextmanager
def at_work(studio: Studio) -> Iterator[None]:
    """Three users send waves of jobs meanwhile."""
    done = threading.Event()
    sending = _work(studio.processes.url, enlarged("coffee"), done)
    thread = threading.Thread(target=asyncio.run, args=(sending,))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


async def _work(url: str, photograph: bytes, done: threading.Event) -> None:
    sizes = itertools.cycle((1, 3, 1, 2, 4, 1, 2))
    while not done.is_set():
        await asyncio.gather(*(_wave(url, user, photograph, next(sizes)) for user in ("anna", "ben", "carla")))
        await asyncio.sleep(next(sizes) / 4)


async def _wave(url: str, user: str, photograph: bytes, jobs: int) -> None:
    async with AsyncClient(url, user=user) as client:
        async for _ in client.map("sketch", [photograph] * jobs, {"style": "coloured"}, timeout_s=120):
            pass


# -- the page, in every state


def fill(studio: Studio) -> None:
    """Jobs of anna's in every state, the finest last."""
    with tempfile.TemporaryDirectory() as folder:
        caption = Path(folder) / "scene.png"
        chance = random.Random(5)  # noqa: S311 (the same each time)
        Image.fromarray(scene(chance, "trained")[0]).save(caption)
        torn = Path(folder) / "torn.jpg"
        torn.write_bytes((PHOTOGRAPHS / "coffee.jpg").read_bytes()[:20_000])
        for picture, operation in ((caption, "caption"), (torn, "sketch")):
            ended(studio, studio.send("anna", picture, operation)["url"])
    order(studio, "operations/caption/pause")
    studio.send("anna", PHOTOGRAPHS / "chelsea.jpg", "caption")
    for name in ("vm1", "vm3"):
        order(studio, f"vms/{name}/drain")
    freeze(studio, "vm2")
    time.sleep(2)  # what is drained is told to the router
    studio.send("anna", PHOTOGRAPHS / "rocket.jpg")
    time.sleep(2)
    for name in ("vm1", "vm3"):
        order(studio, f"vms/{name}/resume")
    time.sleep(2)
    for name, operation in (("astronaut", "remove-background"), ("chelsea", "sketch"), ("coffee", "sketch")):
        ended(studio, studio.send("anna", PHOTOGRAPHS / f"{name}.jpg", operation)["url"])


def ended(studio: Studio, job: str) -> None:
    """Wait for the end of a job."""
    with studio.client("anna") as client:
        while client.get(job).json()["state"] not in {"done", "failed"}:
            time.sleep(0.1)


def order(studio: Studio, what: str) -> None:
    """As an operator."""
    with studio.client("olga") as client:
        client.post(f"/api/v1/{what}").raise_for_status()


def freeze(studio: Studio, name: str) -> None:
    """Let a VM take a job and not get on with it."""
    for child in psutil.Process(studio.processes.pid(name)).children():
        child.suspend()


def thaw(studio: Studio, name: str) -> None:
    """Let it go on."""
    for child in psutil.Process(studio.processes.pid(name)).children():
        child.resume()


# -- the pictures


def take(page: Page, name: str) -> None:
    """Keep what is to be seen, as fine as fits."""
    page.wait_for_function(DRAWN)
    page.wait_for_timeout(500)
    shot = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
    for quality in (90, 85, 80, 70, 60, 50):
        out = io.BytesIO()
        shot.save(out, "WEBP", quality=quality, method=6)
        if out.tell() <= MOST_BYTES:
            break
    (HERE / f"{name}.webp").write_bytes(out.getvalue())


def of_work(studio: Studio, chromium: Browser) -> None:
    """The work page, light, dark and small."""
    fill(studio)
    for name, how in (
        ("page", WIDE),
        ("page-dark", WIDE | {"color_scheme": "dark"}),
        ("page-mobile", PHONE),
    ):
        with looking(studio, chromium, "anna", device_scale_factor=2, **how) as page:
            page.goto(studio.url)
            expect(cards(page, "done")).to_have_count(4)
            expect(card(page, "rocket.jpg")).to_contain_text("Running")
            if "mobile" in name:
                card(page, "coffee.jpg").scroll_into_view_if_needed()
            take(page, name)
    thaw(studio, "vm2")
    order(studio, "operations/caption/resume")


def of_dashboard(studio: Studio, chromium: Browser) -> None:
    """The dashboard of a fleet with work to do, that has just lost a VM, light and dark."""
    for name, scheme in (("dashboard", "light"), ("dashboard-dark", "dark")):
        how = {"device_scale_factor": 2, "color_scheme": scheme, "viewport": {"width": 1280, "height": 1145}}
        with looking(studio, chromium, "olga", **how) as page:
            page.add_init_script(RANGE)
            page.goto(f"{studio.url}/dashboard")
            expect(vm(page, "vm3")).to_contain_text("Lost")
            take(page, name)


def of_login(studio: Studio, chromium: Browser) -> None:
    """The way in."""
    page = chromium.new_page(viewport={"width": 640, "height": 560}, device_scale_factor=2)
    page.goto(f"{studio.url}/login")
    take(page, "login")
    page.close()


def main() -> None:
    """Take all of them."""
    expect.set_options(timeout=60_000)
    with (
        tempfile.TemporaryDirectory(prefix="overspill-", ignore_cleanup_errors=True) as folder,
        stack(Path(folder)) as studio,
        browser() as chromium,
    ):
        of_login(studio, chromium)
        of_work(studio, chromium)
        with at_work(studio):
            time.sleep(WORKED_S)
            studio.processes.kill("vm3")
            of_dashboard(studio, chromium)


def enlarged(name: str) -> bytes:
    """A photograph that takes a VM a moment."""
    out = io.BytesIO()
    Image.open(PHOTOGRAPHS / f"{name}.jpg").resize((2400, 1600)).save(out, "JPEG")
    return out.getvalue()


if __name__ == "__main__":
    main()
