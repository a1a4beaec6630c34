"""What a link leads to is read, so much and no more, from a real server on this machine."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bus import links
from bus.blobs import BlobsDown
from bus.errors import BadInput
from bus.links import read_link
from ui.stack.processes import free_port

PICTURE = bytes(range(256)) * 8192  # two pieces
MOST = len(PICTURE)


class Store(BaseHTTPRequestHandler):
    """Answers by what is asked for: a status, or a picture that is whole, too long, or cut short."""

    def do_GET(self) -> None:
        name = self.path.strip("/")
        if name.isdigit():
            self.send_response(int(name))
            self.send_header("Location", "/picture")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        if name != "unmeasured":
            self.send_header("Content-Length", str(len(PICTURE) + (name == "long") + 9 * (name == "cut")))
        self.end_headers()
        self.wfile.write(PICTURE + b"\x00" * (name == "long"))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the signature is the library's)
        pass


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


async def slug(link: str) -> str:
    with pytest.raises(BadInput) as raised:
        await read_link(link, MOST)
    assert raised.value.problem.field in {"link", "claim"}
    return raised.value.problem.slug


@pytest.mark.parametrize("name", ["picture", "unmeasured"])
async def test_what_a_link_leads_to_is_read_whole(store: str, name: str) -> None:
    assert await read_link(f"{store}/{name}", MOST) == PICTURE


async def test_no_more_is_read_than_allowed(store: str) -> None:
    assert await slug(f"{store}/long") == "too-many-bytes"


@pytest.mark.parametrize("status", [302, 307, 400, 401, 403, 404, 410])
async def test_a_link_that_leads_nowhere_or_elsewhere_is_not_followed(store: str, status: int) -> None:
    assert await slug(f"{store}/{status}") == "no-such-claim"


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_store_that_is_busy_is_a_passing_fault(store: str, status: int) -> None:
    with pytest.raises(BlobsDown, match=f"HTTP {status}"):
        await read_link(f"{store}/{status}", MOST)


async def test_a_picture_cut_short_is_not_taken_for_whole(store: str) -> None:
    with pytest.raises(BlobsDown, match="IncompleteRead"):
        await read_link(f"{store}/cut", MOST)


async def test_a_store_that_is_not_there_is_a_passing_fault() -> None:
    with pytest.raises(BlobsDown, match=r"127\.0\.0\.1 does not give"):
        await read_link(f"http://127.0.0.1:{free_port()}/picture", MOST)


async def test_a_store_that_takes_for_ever_is_given_up(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(links, "PATIENCE_S", 0)
    with pytest.raises(BlobsDown, match="not whole after 0 s"):
        await read_link(f"{store}/picture", MOST)


@pytest.mark.parametrize(
    "link",
    [
        "http://store.example/picture",
        "http://169.254.169.254/computeMetadata/v1/",
        "http://127.0.0.1.example/picture",
        "http:///picture",
        "http://[bad/picture",
        "file:///etc/passwd",
        "ftp://127.0.0.1/picture",
        "data:,picture",
        "picture",
        "",
    ],
)
async def test_only_https_and_this_machine_are_asked(link: str) -> None:
    assert await slug(link) == "bad-field"


def test_this_machine_and_any_by_https_are_asked() -> None:
    links._check("http://localhost:1/picture")
    links._check("https://store.example/picture")
