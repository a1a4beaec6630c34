"""Pictures that come by claim, and results that go by claim, with a folder for a store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.blobs import Blobs, BlobsDown
from bus.errors import BadInput
from bus.messages import Job
from bus.problems import Kind, Problem
from bus.settings import Settings
from consumers.answers import Ended, Failed, Kept, problem_of
from consumers.claims import Claims, store_problem
from tests.serving import serving

SOMEONE = "pictures/20300131/" + "0" * 32
INLINE, MOST = 100, 1000
RESULT = Kept(bytes(INLINE + 1), "image/png", {"model": "m"})


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(f"file://{tmp_path}/blobs", most_bytes=MOST)


@pytest.fixture
def claims(blobs: Blobs) -> Claims:
    return Claims(blobs, INLINE)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """The address by which the folder's files can be read, as signed links would let anyone."""

    with serving(tmp_path / "blobs") as address:
        yield address


def job(claim: str | None, body: bytes = b"") -> Job:
    return Job(id="j1", operation="sketch", body=body, claim=claim, reply_to="r")


async def refused(claims: Claims, claim: str, link: str | None = None) -> Problem:
    with pytest.raises(BadInput) as raised:
        await claims.fetch(job(claim), link)
    return raised.value.problem


# -- pictures


async def test_a_job_that_brings_its_picture_is_left_as_it_is(claims: Claims) -> None:
    whole = job(None, b"picture")
    assert await claims.fetch(whole) is whole


async def test_a_claimed_picture_is_fetched(claims: Claims, blobs: Blobs) -> None:
    claimed = job(await blobs.put("pictures", b"picture"))
    whole = await claims.fetch(claimed)
    assert (whole.body, whole.claim, claimed.body) == (b"picture", claimed.claim, b"")


async def test_a_claim_that_leads_nowhere_is_the_callers_fault(claims: Claims) -> None:
    assert (await refused(claims, SOMEONE)).slug == "no-such-claim"


async def test_a_claim_without_a_store_names_the_setting() -> None:
    problem = await refused(Claims(None, INLINE), SOMEONE)
    assert (problem.slug, problem.field) == ("bad-field", "claim")
    assert "OVERSPILL_BLOBS" in (problem.remedy or "")


async def test_a_link_is_enough(blobs: Blobs, served: str) -> None:
    claim = await blobs.put("pictures", b"picture")
    reader, short = (Claims(None, INLINE, most, endpoint=served) for most in (MOST, 6))
    assert (await reader.fetch(job(claim), f"{served}/{claim}")).body == b"picture"
    assert (await refused(short, claim, f"{served}/{claim}")).slug == "too-many-bytes"
    assert (await refused(reader, claim, f"{served}/{SOMEONE}")).slug == "no-such-claim"


@pytest.mark.parametrize("link", ["{served}/{claim}", "https://intranet.example/secret"])
async def test_nobody_sends_us_elsewhere_by_a_link(blobs: Blobs, served: str, link: str) -> None:
    claim = await blobs.put("pictures", b"picture")
    problem = await refused(Claims(None, INLINE, MOST), claim, link.format(served=served, claim=claim))
    assert (problem.slug, problem.field) == ("bad-field", "link")
    assert "known" in (problem.detail or "")


async def test_a_link_that_leads_to_no_store_is_not_tried(blobs: Blobs, served: str) -> None:
    claim, other = await blobs.put("pictures", b"picture"), await blobs.put("pictures", b"other")
    assert (await Claims(blobs, INLINE).fetch(job(claim), f"{served}/{other}")).body == b"picture"


async def test_links_to_the_settings_store_are_followed_there(
    gcs_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, served: str
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", served)
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs/picture").write_bytes(b"picture")
    whole = await Claims.of(Settings(blobs=gcs_url)).fetch(job(SOMEONE), f"{served}/picture")
    assert whole.body == b"picture"


@pytest.mark.parametrize("link", ["/" + SOMEONE, ":0/"], ids=["a link that has expired", "nobody at home"])
async def test_where_a_link_fails_the_store_is_asked(blobs: Blobs, served: str, link: str) -> None:
    claim = await blobs.put("pictures", b"picture")
    endpoint = served if link.startswith("/") else "http://127.0.0.1:0"
    at = f"{served}{link}" if link.startswith("/") else f"http://127.0.0.1{link}"
    claims = Claims(blobs, INLINE, endpoint=endpoint)
    assert (await claims.fetch(job(claim), at)).body == b"picture"


# -- results


async def test_a_result_that_fits_goes_as_it_is(claims: Claims) -> None:
    fits = RESULT._replace(body=bytes(INLINE))
    assert await claims.stow(fits) is fits


async def test_a_larger_result_goes_into_the_store(claims: Claims, blobs: Blobs) -> None:
    stowed = await claims.stow(RESULT)
    assert (stowed.body, stowed.content_type, stowed.headers["model"]) == (b"", "image/png", "m")
    assert stowed.headers["claim"].startswith("results/")
    assert "link" not in stowed.headers
    assert await blobs.get(stowed.headers["claim"]) == RESULT.body
    assert (await claims.stow(RESULT, most=INLINE + 1)) is RESULT
    assert (await claims.stow(RESULT._replace(body=b"123"), most=2)).body == b""


async def test_a_link_is_told_where_the_store_gives_one(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    async def signed(claim: str, seconds: float | None = None) -> str:
        return f"https://store.example/{claim}?signed"

    monkeypatch.setattr(blobs, "link", signed)  # a folder signs nothing; a real signature is tested with the store
    headers = (await Claims(blobs, INLINE).stow(RESULT)).headers
    assert headers["link"] == f"https://store.example/{headers['claim']}?signed"


async def test_what_is_too_large_for_every_way_is_a_problem(claims: Claims) -> None:
    for able, size, limit in ((Claims(None, INLINE), INLINE + 1, INLINE), (claims, MOST + 1, MOST)):
        problem = problem_of(await able.stow(RESULT._replace(body=bytes(size))))
        assert problem is not None
        assert (problem.slug, problem.limit) == ("too-many-bytes", limit)


async def test_a_result_that_must_stay_on_the_site_goes_into_a_folder_and_no_bucket(
    claims: Claims, gcs_url: str
) -> None:
    assert "claim" in (await claims.stow(RESULT, site="local")).headers
    away = Claims(Blobs(gcs_url), INLINE)
    problem = problem_of(await away.stow(RESULT, site="local"))
    assert problem is not None
    assert (problem.slug, problem.limit) == ("too-many-bytes", INLINE)
    assert "claim" in (await away.stow(RESULT)).headers


# -- runs


async def test_a_run_ends_with_a_result_that_can_be_sent(claims: Claims) -> None:
    ended = await claims.stowed(Ended(RESULT, 7), "local")
    assert isinstance(ended, Ended)
    assert (ended.kept.body, ended.ran_ms) == (b"", 7)
    failed = Failed(Problem.of(Kind.TIMED_OUT, "It hung."), 9)
    assert await claims.stowed(failed) is failed


async def test_a_store_that_fails_has_failed_the_run(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where a folder should be")
    claims = Claims(Blobs(f"file://{tmp_path}/blobs"), INLINE)
    failed = await claims.stowed(Ended(RESULT, 7))
    assert isinstance(failed, Failed)
    assert (failed.problem.slug, failed.ran_ms) == ("operation-failed", 7)


def test_a_stores_address_is_told_in_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    problem = store_problem(BlobsDown("the blob store gs://ours fails"))
    assert "gs://ours" in caplog.text
    assert b"gs://ours" not in problem.to_json()


async def test_the_settings_say_all_of_it(tmp_path: Path) -> None:
    settings = Settings(blobs=f"file://{tmp_path}", max_image_bytes=INLINE, max_claim_bytes=MOST)
    claims = Claims.of(settings)
    assert claims.blobs is not None
    assert (await claims.stow(RESULT)).body == b""
    problem = problem_of(await claims.stow(RESULT._replace(body=bytes(MOST + 1))))
    assert problem is not None
    assert problem.limit == MOST
    assert Claims.of(Settings(blobs=None)).blobs is None
