import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.web.webhooks.reach import is_address, may_call, target_of


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.3.4", "192.168.1.1", "100.64.0.1", "198.18.0.1", "0.0.0.0",
        "240.0.0.1", "::1", "::", "fc00::1", "fd12:3456::1", "2001:db8::1", "::ffff:127.0.0.1", "::ffff:10.1.2.3",
        "2002:7f00:1::", "2002:0a00:0001::1", "64:ff9b::7f00:1", "64:ff9b::c0a8:101",
        "2001:0:4136:e378:8000:63bf:80ff:fffe", "fec0::1",
    ],
)  # fmt: skip
def test_what_only_we_can_reach_is_not_called(address: str) -> None:
    assert not may_call(address, private=False)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_addresses_are_called(address: str) -> None:
    assert may_call(address, private=False)
    assert may_call(address, private=True)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd12::1", "::ffff:127.0.0.1"])
def test_private_ones_are_where_that_is_allowed(address: str) -> None:
    assert may_call(address, private=True)


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "224.0.0.1",
     "ff02::1", "255.255.255.255", "0.0.0.0", "::", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200",
     "::ffff:100.100.100.200", "168.63.129.16", "64:ff9b::a83f:8110", "192.0.0.192"],
)  # fmt: skip
def test_where_clouds_tell_their_secrets_is_never_called(address: str) -> None:
    assert not may_call(address, private=True)
    assert not may_call(address, private=False)


@given(st.ip_addresses())
def test_what_is_called_at_large_is_called_where_more_is_allowed(address: object) -> None:
    assert may_call(str(address), private=True) or not may_call(str(address), private=False)


@pytest.mark.parametrize(
    ("url", "authority", "at"),
    [
        ("https://hooks.example/in?a=b", "hooks.example", "https://8.8.8.8:443/in?a=b"),
        ("https://hooks.example:8443", "hooks.example:8443", "https://8.8.8.8:8443/"),
        ("http://[2606:4700::1]:81/x", "[2606:4700::1]:81", "http://8.8.8.8:81/x"),
        ("http://hooks.example/#part", "hooks.example", "http://8.8.8.8:80/"),
    ],
)
def test_a_url_taken_apart_and_sent_to_an_address(url: str, authority: str, at: str) -> None:
    target = target_of(url)
    assert target.authority == authority
    assert target.at("8.8.8.8") == at


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert target_of("https://hooks.example/in").at("2606:4700::1") == "https://[2606:4700::1]:443/in"


@pytest.mark.parametrize(
    "url",
    ["", "hooks.example", "ftp://hooks.example", "file:///etc/passwd", "https://", "https://:443/", "https://a@b.example/",
     "https://a:b@b.example/", "https://hooks.example/a b", "https://hooks.example/\r\nHost: x", "https://bücher.example/",
     "https://hooks.example:99999/", "https://hooks.example:x/", "https://hooks.example:0/",
     "https://[::1/", "https://h/" + "a" * 2000],
)  # fmt: skip
def test_what_is_no_address_for_us_is_refused_with_a_reason(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        target_of(url)


def test_names_are_no_addresses() -> None:
    assert is_address("8.8.8.8")
    assert is_address("::1")
    assert not is_address("localhost")
    assert not is_address("0x7f.1")  # the resolver takes it for one: judged when it is called
