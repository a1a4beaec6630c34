"""What of the blob store the cloud can read, and which links are a store's."""

from typing import Any

import pytest

from bus.reach import is_loopback, is_loopback_host, is_of_store, reads_blobs, stays_here
from bus.settings import Settings

FOLDER, BUCKET = "file:///srv/blobs", "gs://bucket/folder"
EMULATOR = "http://127.0.0.1:4443"


@pytest.mark.parametrize(
    ("url", "leads_here"),
    [
        ("http://localhost:1", True),
        ("http://127.0.0.1", True),
        ("http://127.9.9.9:1/x", True),
        ("http://[::1]:1", True),
        ("http://127.0.0.1.example", False),
        ("http://10.0.0.1", False),
        ("http://", False),
        ("http://[bad", False),
        ("", False),
    ],
)
def test_this_machine_has_several_names(url: str, leads_here: bool) -> None:
    assert is_loopback(url) is leads_here


def test_a_folder_stays_here() -> None:
    assert [stays_here(url) for url in (FOLDER, BUCKET, None)] == [True, False, False]


@pytest.mark.parametrize(
    ("given", "reads"),
    [
        ({"blobs": None}, False),
        ({"blobs": BUCKET}, True),
        ({"blobs": BUCKET, "cloud": "http", "cloud_services": "https://a.example"}, True),
        ({"blobs": FOLDER, "cloud_project": "p"}, False),
        ({"blobs": FOLDER, "cloud_project": "p", "pubsub_emulator_host": "e:1"}, True),
        ({"blobs": FOLDER}, True),  # of no project there is only an emulator
        ({"blobs": FOLDER, "cloud": "http", "cloud_services": "https://a.example,http://10.0.0.1:8"}, False),
        ({"blobs": FOLDER, "cloud": "http", "cloud_services": "https://a.example,http://localhost:8"}, False),
        ({"blobs": FOLDER, "cloud": "http", "cloud_services": "http://127.0.0.1:7,http://localhost:8"}, True),
        ({"blobs": FOLDER, "cloud": "http"}, False),
    ],
)
def test_the_cloud_reads_a_folder_only_where_it_is_played_here(given: dict[str, Any], reads: bool) -> None:
    assert reads_blobs(Settings(**given)) is reads


@pytest.mark.parametrize(
    "link",
    [
        "https://storage.googleapis.com/bucket/x?X-Goog-Signature=1",
        "https://bucket.storage.googleapis.com/x",
        "https://STORAGE.googleapis.com:443/x",
        "https://bucket.s3.amazonaws.com/x",
        "https://s3.eu-west-1.amazonaws.com/bucket/x",
        "https://my.bucket.s3.eu-west-1.amazonaws.com/x",
        "https://bucket.s3-us-west-2.amazonaws.com/x",
        "https://bucket.s3.dualstack.eu-west-1.amazonaws.com/x",
        "https://bucket.s3-accelerate.amazonaws.com/x",
        "https://bucket.s3.cn-north-1.amazonaws.com.cn/x",
        "https://account.blob.core.windows.net/container/x?sig=1",
    ],
)
def test_the_clouds_stores_are_known(link: str) -> None:
    assert is_of_store(link)
    assert not is_of_store(link.replace("https:", "http:"))


@pytest.mark.parametrize(
    "link",
    [
        "https://intranet.example/x",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/x",
        "http://127.0.0.1:8080/x",
        "https://storage.googleapis.com.evil.example/x",
        "https://evil.example/storage.googleapis.com",
        "https://evilstorage.googleapis.com/x",
        "https://user@storage.googleapis.com/x",
        "https://storage.googleapis.com:22/x",
        "https://storage.googleapis.com@evil.example/x",
        "https://storage.googleapis.com\\@evil.example/x",
        "https://ec2-1-2-3-4.compute.amazonaws.com/x",
        "https://s3.a.b.compute.amazonaws.com/x",
        "https://[bad/x",
        "file:///etc/passwd",
        "",
    ],
)
def test_no_other_address_is_a_stores(link: str) -> None:
    assert not is_of_store(link)
    assert not is_of_store(link, EMULATOR)


def test_a_store_with_an_address_of_its_own_is_known_by_it() -> None:
    assert is_of_store(f"{EMULATOR}/bucket/x", EMULATOR)
    assert is_of_store("https://minio.example:9000/bucket/x", "https://minio.example:9000")
    assert not is_of_store("https://minio.example/bucket/x", "https://minio.example:9000")
    assert not is_of_store("http://minio.example:9000/bucket/x", "http://minio.example:9000")  # anyone could listen
    assert not is_of_store("https://127.0.0.1:4443/x", EMULATOR)
    assert is_of_store("https://storage.googleapis.com/x", EMULATOR)
    assert not is_of_store("https://a.example/x", "https://[bad")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_what_only_this_machine_reaches(host: str) -> None:
    assert is_loopback_host(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "localhost.example", ""])
def test_what_others_reach(host: str) -> None:
    assert not is_loopback_host(host)
