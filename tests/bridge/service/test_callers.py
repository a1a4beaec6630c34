"""Who is let in by which settings, and which settings are refused at the start."""

from collections.abc import Iterator
from typing import Any

import pytest

from bridge.service.callers import Callers
from bridge.service.identity import BadToken, Stranger
from bus.errors import SetupError
from bus.settings import Settings
from tests.bridge.tokens import ACCOUNT, AUDIENCE, Google, google, token

EVERYWHERE = {"service_host": "0.0.0.0"}
PUSHED = {"cloud_push_account": ACCOUNT, "cloud_audience": AUDIENCE}
ONE = (("sketch", "https://a.example"), ("caption", "https://a.example"))
TWO = (("sketch", "https://a.example"), ("caption", "https://b.example"))
EMULATOR = {"pubsub_emulator_host": "127.0.0.1:8085", "cloud_push_unverified": True}


def rules(**given: Any) -> Callers:
    # Named, so that nothing of the tester's environment has a say.
    plain = {"pubsub_emulator_host": None, "k_service": None, "service_host": "127.0.0.1", "service_token": None}
    return Callers.of(Settings(**{**plain, **given}))


@pytest.fixture(scope="module")
def certificates() -> Iterator[Google]:
    with google() as server:
        yield server


def bearing(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "OVERSPILL_CLOUD_PUSH_ACCOUNT"),
        ({**EVERYWHERE}, "OVERSPILL_CLOUD_PUSH_ACCOUNT"),
        ({"cloud_push_account": ACCOUNT}, "OVERSPILL_CLOUD_AUDIENCE"),
        ({"cloud_push_unverified": True}, "PUBSUB_EMULATOR_HOST"),
        ({"cloud_push_unverified": True, "cloud": "http"}, "PUBSUB_EMULATOR_HOST"),
        ({**EMULATOR, "k_service": "overspill"}, "this is Cloud Run"),
        ({**EMULATOR, **PUSHED, "k_service": "overspill"}, "this is Cloud Run"),
        ({**EVERYWHERE, "cloud": "http"}, "OVERSPILL_SERVICE_TOKEN"),
        ({"cloud_push_account": ACCOUNT, "cloud_services": TWO, "k_service": "overspill"}, "OVERSPILL_CLOUD_AUDIENCE"),
        ({**PUSHED, "cloud_certs_url": "http://www.googleapis.com/certs"}, "OVERSPILL_CLOUD_CERTS_URL"),
        ({**PUSHED, "cloud_certs_url": "https://"}, "OVERSPILL_CLOUD_CERTS_URL"),
        ({**PUSHED, "cloud_certs_url": "www.googleapis.com/certs"}, "OVERSPILL_CLOUD_CERTS_URL"),
        ({**PUSHED, "cloud_certs_url": "https://google:port/certs"}, "OVERSPILL_CLOUD_CERTS_URL"),
    ],
    ids=str,
)
def test_what_would_leave_a_door_open_is_refused_at_the_start(given: dict[str, Any], named: str) -> None:
    with pytest.raises(SetupError, match=named):
        rules(**given)


async def test_pubsub_is_let_in_by_its_token_alone(certificates: Google) -> None:
    callers = rules(**EVERYWHERE, **PUSHED, cloud_certs_url=certificates.url, service_token="secret")
    await callers.admit_push(bearing(token()))
    await callers.admit_push({"authorization": f"bearer {token()}"})
    with pytest.raises(Stranger):
        await callers.admit_push(bearing(token(email="other@example.com")))
    for headers in (
        {},
        bearing("secret"),
        bearing(""),
        {"authorization": token()},
        {"authorization": f"Basic {token()}"},
    ):
        with pytest.raises(BadToken):
            await callers.admit_push(headers)


async def test_a_call_needs_the_secret_or_the_token_of_a_push(certificates: Google) -> None:
    callers = rules(**EVERYWHERE, **PUSHED, cloud_certs_url=certificates.url, service_token="secret")
    await callers.admit_call(bearing("secret"))
    await callers.admit_call(bearing(token()))
    for headers in ({}, bearing("secret2"), bearing("Secret"), bearing("sécret"), bearing(token(aud="other"))):
        with pytest.raises(BadToken):
            await callers.admit_call(headers)


async def test_where_no_secret_is_set_the_token_of_a_push_is_needed(certificates: Google) -> None:
    callers = rules(**EVERYWHERE, **PUSHED, cloud_certs_url=certificates.url)
    await callers.admit_call(bearing(token()))
    with pytest.raises(BadToken):
        await callers.admit_call({})


async def test_without_pubsub_the_secret_is_all_there_is() -> None:
    callers = rules(**EVERYWHERE, cloud="http", service_token="secret")
    await callers.admit_call(bearing("secret"))
    with pytest.raises(BadToken, match="OVERSPILL_SERVICE_TOKEN"):
        await callers.admit_call(bearing(token()))


async def test_the_addresses_of_the_services_are_the_audience_where_none_is_set(certificates: Google) -> None:
    services = (("sketch", AUDIENCE),)
    callers = rules(cloud_services=services, cloud_push_account=ACCOUNT, cloud_certs_url=certificates.url)
    await callers.admit_push(bearing(token(aud=AUDIENCE)))
    await callers.admit_push(bearing(token(aud=f"{AUDIENCE}/push")))
    with pytest.raises(BadToken):
        await callers.admit_push(bearing(token(aud="https://other.example")))


@pytest.mark.parametrize(
    "given",
    [
        {"cloud_services": ONE, "k_service": "overspill"},
        {"cloud_services": TWO, "k_service": "overspill", "cloud_audience": AUDIENCE},
        {"cloud_services": TWO},
    ],
    ids=["one address", "an audience", "not on Cloud Run"],
)
def test_one_audience_or_one_address_is_enough_on_cloud_run(given: dict[str, Any]) -> None:
    assert rules(cloud_push_account=ACCOUNT, **given).identity


@pytest.mark.parametrize("url", ["https://certs.example", "http://127.0.0.1:9/certs", "http://[::1]:9/certs"])
def test_certificates_come_over_tls_or_from_this_machine(url: str) -> None:
    assert rules(**PUSHED, cloud_certs_url=url).identity


@pytest.mark.parametrize("given", [EMULATOR, {**EMULATOR, **EVERYWHERE}, {"cloud": "http"}], ids=str)
async def test_an_emulator_and_this_machine_alone_may_call_without_a_token(given: dict[str, Any]) -> None:
    await rules(**given).admit_call({})


async def test_an_emulator_pushes_without_a_token_and_a_secret_closes_calls_all_the_same() -> None:
    callers = rules(**EMULATOR, service_token="secret")
    await callers.admit_push({})
    with pytest.raises(BadToken):
        await callers.admit_call({})
