import sys

import pytest

from bridge.clouds import cloud_of
from bus.errors import SetupError
from bus.settings import Settings
from tests.needed import need_package


def test_the_settings_name_the_cloud() -> None:
    need_package("httpx", "bridge")
    pool = cloud_of(Settings(cloud="http", cloud_services=(("", "http://127.0.0.1:1"),)))
    assert (type(pool).__name__, pool.keeps) == ("HttpPool", False)


def test_google_is_the_cloud_unless_told_otherwise() -> None:
    need_package("google.cloud.pubsub_v1", "bridge")
    google = cloud_of(Settings(pubsub_emulator_host="127.0.0.1:1"))
    assert (type(google).__name__, google.keeps) == ("PubSubCloud", True)


def test_without_a_cloud_there_is_nothing_to_bridge() -> None:
    with pytest.raises(SetupError, match="OVERSPILL_CLOUD is none"):
        cloud_of(Settings(cloud="none"))


def test_a_missing_package_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    monkeypatch.delitem(sys.modules, "bridge.pool.http_pool", raising=False)
    with pytest.raises(SetupError, match=r"httpx.*pip install 'overspill\[bridge\]'"):
        cloud_of(Settings(cloud="http"))


def test_a_pool_of_nobody_is_told_before_anything_waits_for_it() -> None:
    need_package("httpx", "bridge")
    with pytest.raises(SetupError, match="OVERSPILL_CLOUD_SERVICES"):
        cloud_of(Settings(cloud="http"))
