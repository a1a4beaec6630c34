"""The blob store: one suite on a folder and on a server that speaks as Google Cloud Storage does."""

import asyncio
import hashlib
import json
import logging
import re
import subprocess
import sys
import threading
import urllib.parse
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bus import blobs as module
from bus.blobs import Blobs, BlobsDown
from bus.errors import BadInput, SetupError
from bus.links import read_link
from bus.messages import CLAIM
from bus.settings import Settings
from tests.gcs import FakeGcs
from tests.needed import need_package
from ui.stack.processes import free_port

SOMEONE = "pictures/20300131/" + "0" * 32
MOST = 3 << 20


@pytest.fixture(params=["folder", "gcs"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Two stores, one suite."""
    if request.param == "folder":
        return f"file://{tmp_path}/blobs"
    found: str = request.getfixturevalue("gcs_url")
    return found


@pytest.fixture
def blobs(url: str) -> Blobs:
    return Blobs(url, most_bytes=MOST)


def days_ago(days: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y%m%d}"


async def put_on(blobs: Blobs, kind: str, days: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """Something that was stored so many days ago."""
    with monkeypatch.context() as then:
        then.setattr(module, "_DAY", days_ago(days))
        return await blobs.put(kind, b"old")  # type: ignore[arg-type]  # a str where a literal is asked for


async def slug(waited: object) -> str:
    assert asyncio.iscoroutine(waited)
    with pytest.raises(BadInput) as raised:
        await waited
    return raised.value.problem.slug


# -- what any store does


@pytest.mark.parametrize("body", [b"", b"picture", bytes(range(256)) * (MOST // 256)], ids=["empty", "small", "most"])
async def test_what_is_put_is_got_by_its_claim(blobs: Blobs, body: bytes) -> None:
    claim = await blobs.put("pictures", body)
    assert re.fullmatch(CLAIM, claim)
    assert claim.startswith(f"pictures/{days_ago(0)}/")
    assert await blobs.get(claim) == body


async def test_claims_are_never_the_same_unless_they_are_named(blobs: Blobs) -> None:
    name = hashlib.blake2b(b"one", digest_size=16).hexdigest()
    random = {await blobs.put("results", b"one"), await blobs.put("results", b"one")}
    named = {await blobs.put("results", b"one", name), await blobs.put("results", b"one", name)}
    assert (len(random), len(named)) == (2, 1)
    assert await blobs.get(named.pop()) == b"one"


async def test_another_process_on_the_same_store_sees_it(blobs: Blobs, url: str) -> None:
    other = Blobs(url)
    assert await slug(other.get(SOMEONE)) == "no-such-claim"
    assert await other.get(await blobs.put("pictures", b"picture")) == b"picture"


async def test_what_is_not_there_says_so(blobs: Blobs) -> None:
    assert await slug(blobs.get(SOMEONE)) == "no-such-claim"
    assert await slug(blobs.size(SOMEONE)) == "no-such-claim"
    claim = await blobs.put("pictures", b"picture")
    await blobs.delete(claim)
    await blobs.delete(claim)  # once more is no fault
    assert await slug(blobs.get(claim)) == "no-such-claim"


async def test_nothing_too_large_goes_in_or_out(blobs: Blobs, url: str) -> None:
    assert await slug(blobs.put("pictures", bytes(MOST + 1))) == "too-many-bytes"
    claim = await Blobs(url, most_bytes=MOST + 1).put("pictures", bytes(MOST + 1))
    assert await slug(blobs.get(claim)) == "too-many-bytes"
    assert await slug(blobs.size(claim)) == "too-many-bytes"


@pytest.mark.parametrize("size", [0, 7, MOST])
async def test_a_size_is_told_without_the_bytes(blobs: Blobs, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    claim = await blobs.put("results", bytes(size))
    for fetch in ("cat_file", "_cat_file"):
        monkeypatch.setattr(blobs._files, fetch, None, raising=False)
    assert await blobs.size(claim) == size


@pytest.mark.parametrize("claim", ["", "pictures/../../etc/passwd", SOMEONE + "/x", SOMEONE.upper(), SOMEONE + "\n"])
async def test_a_path_is_never_built_from_what_is_no_claim(blobs: Blobs, claim: str) -> None:
    for asked in (blobs.get(claim), blobs.size(claim), blobs.delete(claim), blobs.link(claim)):
        assert await slug(asked) == "bad-field"


async def test_a_sweep_removes_whole_days_and_nothing_newer(blobs: Blobs, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await blobs.sweep() == 0
    new = await blobs.put("pictures", b"new")
    yesterday = await put_on(blobs, "results", 1, monkeypatch)
    old = [await put_on(blobs, kind, 3, monkeypatch) for kind in ("pictures", "pictures", "results")]
    assert await blobs.sweep() == 2
    assert [await slug(blobs.get(claim)) for claim in old] == ["no-such-claim"] * 3
    assert (await blobs.get(new), await blobs.get(yesterday)) == (b"new", b"old")
    assert await blobs.sweep(0) == 1
    assert await slug(blobs.get(yesterday)) == "no-such-claim"


async def test_several_may_sweep_at_a_time(blobs: Blobs, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for days in range(3, 6):
        await put_on(blobs, "results", days, monkeypatch)
    await asyncio.gather(*(Blobs(url).sweep() for _ in range(3)))
    assert await blobs.sweep() == 0


async def test_a_store_that_cannot_sign_gives_no_link(blobs: Blobs) -> None:
    assert await blobs.link(await blobs.put("results", b"result")) is None


def test_an_emulator_has_an_address_of_its_own_and_a_folder_none(gcs_url: str, fake_gcs: FakeGcs) -> None:
    assert (Blobs(gcs_url).endpoint, Blobs("file:///srv/blobs").endpoint) == (fake_gcs.url, None)


async def test_a_program_that_used_it_ends_at_once_and_says_nothing(url: str) -> None:
    program = (
        "import asyncio, sys\nfrom bus.blobs import Blobs\n"
        "async def main():\n"
        "    blobs = Blobs(sys.argv[1])\n"
        "    print(len(await blobs.get(await blobs.put('pictures', bytes(1_500_000)))))\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, url]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "1500000\n", "")


# -- a store that fails


async def test_a_folder_that_cannot_be_written_is_down(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where a folder should be")
    blobs = Blobs(f"file://{tmp_path}/blobs")
    with pytest.raises(BlobsDown, match=r"fails \(\w*Error"):
        await blobs.put("pictures", b"picture")


async def test_a_bucket_that_is_not_there_is_down(gcs_url: str) -> None:
    with pytest.raises(BlobsDown, match="make the bucket"):
        await Blobs("gs://nobody-made-this").put("pictures", b"picture")


async def test_a_server_that_does_not_answer_is_down_and_not_waited_for(
    gcs_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setattr(module, "PATIENCE_S", 0.2)
    blobs = Blobs(gcs_url)
    for asked in (blobs.put("pictures", b"picture"), blobs.get(SOMEONE), blobs.delete(SOMEONE)):
        with pytest.raises(BlobsDown, match="TimeoutError"):
            await asked
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


# -- links


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> rsa.RSAPrivateKey:
    """A service account's key, new, and where Google's libraries look for it."""
    need_package("gcsfs", "gcs")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    told = {"type": "service_account", "project_id": "test", "client_email": "vm@test.example", "private_key": text}
    file = tmp_path / "key.json"
    file.write_text(json.dumps({**told, "private_key_id": "1", "token_uri": "https://token.example"}))
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    return key


async def test_a_link_is_signed_with_the_accounts_key_for_so_long(account: rsa.RSAPrivateKey) -> None:
    link = await Blobs("gs://bucket/folder", kept_s=86_400).link(SOMEONE)
    assert link is not None
    parts = urllib.parse.urlsplit(link)
    query = dict(urllib.parse.parse_qsl(parts.query, strict_parsing=True))
    assert (parts.scheme, parts.netloc) == ("https", "storage.googleapis.com")
    assert parts.path == f"/bucket/folder/{SOMEONE}"
    assert query["X-Goog-Expires"] == "86400"
    # The signature, as https://cloud.google.com/storage/docs/authentication/signatures describes it.
    signature = bytes.fromhex(query.pop("X-Goog-Signature"))
    asked = urllib.parse.urlencode(sorted(query.items()), quote_via=urllib.parse.quote, safe="")
    request = f"GET\n{parts.path}\n{asked}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    scope = query["X-Goog-Credential"].partition("/")[2]
    digest = hashlib.sha256(request.encode()).hexdigest()
    signed = f"GOOG4-RSA-SHA256\n{query['X-Goog-Date']}\n{scope}\n{digest}"
    account.public_key().verify(signature, signed.encode(), padding.PKCS1v15(), hashes.SHA256())


async def test_a_link_lasts_a_week_at_the_most(account: rsa.RSAPrivateKey) -> None:
    link = await Blobs("gs://bucket").link(SOMEONE, seconds=1e7)
    assert "X-Goog-Expires=604800" in (link or "")


async def test_a_link_that_takes_too_long_to_sign_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blobs, let_go = Blobs(f"file://{tmp_path}/blobs"), threading.Event()

    def sign(path: str, **options: object) -> str:
        let_go.wait(60)
        return "https://store.example/too-late"

    monkeypatch.setattr(blobs._files, "sign", sign)  # as one that asks a server of the cloud's, which hangs
    monkeypatch.setattr(module, "SIGNING_S", 0.05)
    caplog.set_level("DEBUG", logger="bus.blobs")
    try:
        assert await blobs.link(SOMEONE) is None
    finally:
        let_go.set()
    assert "TimeoutError" in caplog.text


async def test_a_signed_link_leads_to_what_was_put(
    fake_gcs: FakeGcs, account: rsa.RSAPrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake_gcs.url)
    url = f"gs://{fake_gcs.bucket()}/overspill"
    claim = await Blobs(url).put("pictures", b"picture")
    monkeypatch.delenv("STORAGE_EMULATOR_HOST")
    link = await Blobs(url).link(claim)
    assert link is not None
    here = link.replace("https://storage.googleapis.com", fake_gcs.url)
    assert await read_link(here, MOST) == b"picture"


# -- opening


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/var/blobs", "OVERSPILL_BLOBS is wrong: '/var/blobs' is no URL. Use file://, gs://"),
        ("carrier-pigeon://loft", "OVERSPILL_BLOBS is wrong: 'carrier-pigeon' is no kind of store"),
        ("ftp://127.0.0.1:9/x", "OVERSPILL_BLOBS is wrong: 'ftp' is no kind of store"),
        ("file:///", "names no bucket, container or folder"),
        ("hdfs3://x/y", "OVERSPILL_BLOBS is wrong"),
    ],
)
def test_a_url_that_is_wrong_is_told_with_its_remedy(url: str, said: str) -> None:
    with pytest.raises(SetupError, match=re.escape(said)):
        Blobs(url)


@pytest.mark.parametrize(("url", "package", "extra"), [("gs://b", "gcsfs.core", "gcs"), ("s3://b", "s3fs", "s3")])
def test_a_missing_package_is_named(url: str, package: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SetupError, match=re.escape(f"pip install 'overspill[{extra}]'")):
        Blobs(url)


def test_missing_credentials_are_told(
    account: rsa.RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "nowhere.json"))
    with pytest.raises(SetupError, match=r"needs credentials: .*nowhere\.json"):
        Blobs("gs://bucket")


def test_the_settings_name_the_store_or_none(tmp_path: Path) -> None:
    assert Blobs.of(Settings(blobs=None)) is None
    found = Blobs.of(Settings(blobs=f"file://{tmp_path}", max_claim_bytes=7, blobs_kept_s=60))
    assert found is not None
    assert (found.url, found.most_bytes, found.kept_s) == (f"file://{tmp_path}", 7, 60)
