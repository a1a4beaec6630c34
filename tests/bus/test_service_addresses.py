"""Addresses of cloud services: written and read, and those that nobody can call named before anything waits."""

import pytest

from bus.service_addresses import check_address, services_of, services_text


def test_services_serve_one_operation_or_all() -> None:
    text = "https://all.example/, sketch=https://a.example?x=1,caption=http://127.0.0.1:1,"
    services = (("", "https://all.example"), ("sketch", "https://a.example?x=1"), ("caption", "http://127.0.0.1:1"))
    assert services_of(text) == services
    assert services_of(services_text(services)) == services


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ftp://a.example", "must look like"),
        ("sketch=a.example", "must look like"),
        ("paint=https://a.example", "names no operation: 'paint'"),
    ],
)
def test_what_names_no_service_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        services_of(text)


@pytest.mark.parametrize(
    "url", ["http://", "http:", "http://gpu1:port", "http://gpu1:80800", "http://gpu1:0", "http://a b", "http://[::1"]
)
def test_what_can_not_be_called_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="correct it, or leave it out"):
        check_address(url)


@pytest.mark.parametrize(
    "url", ["http://gpu1", "https://a.example:8443/under", "http://[::1]:80", "http://127.0.0.1:1"]
)
def test_what_can_be_called_is_one(url: str) -> None:
    check_address(url)
