"""Pictures over HTTP: parts of them, versions, and how they are kept from being taken for pages."""

import httpx
import pytest

from tests.ui.web.api.asking import PHOTO, ended, submit
from tests.ui.web.api.house import CAPTION, RESULT, House


@pytest.fixture
def url(anna: httpx.Client) -> str:
    """Where a result of anna's is."""
    answer = submit(anna, name="my cup.jpg", headers={"prefer": "wait=20"})
    return str(answer.headers["content-location"])


def test_a_result_is_a_file_and_never_a_page(anna: httpx.Client, url: str) -> None:
    answer = anna.get(url)
    assert answer.content == RESULT
    told = answer.headers
    assert told["content-type"] == "image/png"
    assert told["content-disposition"] == 'attachment; filename="my cup-sketch.png"'
    assert told["x-content-type-options"] == "nosniff"
    assert told["content-security-policy"] == "sandbox; default-src 'none'"
    assert told["cache-control"] == "private, no-cache"
    assert told["accept-ranges"] == "bytes"


def test_who_has_it_need_not_fetch_it_again(anna: httpx.Client, url: str) -> None:
    etag = anna.get(url).headers["etag"]
    again = anna.get(url, headers={"if-none-match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert anna.get(url, headers={"if-none-match": '"other"'}).status_code == 200


def test_a_part_of_it(anna: httpx.Client, url: str) -> None:
    part = anna.get(url, headers={"range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, RESULT[1:4])
    assert part.headers["content-range"] == f"bytes 1-3/{len(RESULT)}"
    assert anna.get(url, headers={"range": "bytes=-4"}).content == RESULT[-4:]


def test_a_part_of_another_version_is_all_of_this_one(anna: httpx.Client, url: str) -> None:
    etag = anna.get(url).headers["etag"]
    assert anna.get(url, headers={"range": "bytes=1-3", "if-range": etag}).status_code == 206
    assert anna.get(url, headers={"range": "bytes=1-3", "if-range": '"old"'}).content == RESULT


@pytest.mark.parametrize("wanted", ["bytes=0-1,3-4", "bytes=x", "lines=1-2", "bytes=5-4"])
def test_what_is_no_single_part_is_all_of_it(anna: httpx.Client, url: str, wanted: str) -> None:
    answer = anna.get(url, headers={"range": wanted})
    assert (answer.status_code, answer.content) == (200, RESULT)


def test_a_part_that_is_not_there(anna: httpx.Client, url: str) -> None:
    answer = anna.get(url, headers={"range": "bytes=9999-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(RESULT)}"
    assert answer.json()["type"] == "urn:overspill:problem:no-such-range"


def test_its_headers_alone(anna: httpx.Client, url: str) -> None:
    head = anna.head(url)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(RESULT))


def test_a_caption_is_json(anna: httpx.Client) -> None:
    job = ended(anna, submit(anna, operation="caption").json()["id"])
    answer = anna.get(job["result"]["url"])
    assert (answer.json(), answer.headers["content-type"]) == ({"caption": CAPTION}, "application/json")
    assert job["result"]["preview"] is None
    assert anna.get(job["result"]["url"], headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert anna.get(job["result"]["url"] + "/preview").status_code == 404


def test_smaller_ones(anna: httpx.Client) -> None:
    job = ended(anna, submit(anna).json()["id"])
    for of in ("picture", "result"):
        for size in ("preview", "thumbnail"):
            answer = anna.get(job[of][size])
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/webp")
            assert answer.content[:4] == b"RIFF"


def test_there_is_no_result_before_the_end(house: House, anna: httpx.Client) -> None:
    house.worker.holds = True
    job = submit(anna).json()
    early = anna.get(f"{job['url']}/result")
    house.call(house.worker.release)
    assert early.status_code == 404
    assert early.json()["detail"].startswith("The job has no result yet: it is ")
    assert anna.get(job["picture"]["url"]).content == PHOTO
