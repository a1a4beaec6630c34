"""Who may call the cloud service: Pub/Sub in the name of one account, and whoever has the token on `/v1`."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import httpx

from bridge.service.identity import BadToken, Certificates, Expected, Identity
from bus.errors import SetupError
from bus.reach import is_loopback_host
from bus.settings import Settings


@dataclass(frozen=True, slots=True)
class Callers:
    """The rules. `pushes` and `calls` say what is open to anybody."""

    identity: Identity | None
    token: str | None
    pushes_open: bool
    calls_open: bool

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The rules of the settings. Raises SetupError where they would leave a door open, or shut for everybody."""
        expected = expected_of(settings)
        unverified = settings.cloud_push_unverified
        calls_open = settings.service_token is None and (unverified or is_loopback_host(settings.service_host))
        if expected is None and settings.service_token is None and not calls_open:
            raise SetupError(
                f"Anybody who reaches {settings.service_host} could use this service: set OVERSPILL_SERVICE_TOKEN to a "
                "secret that its callers send, or OVERSPILL_SERVICE_HOST=127.0.0.1."
            )
        identity = None if expected is None else Identity(expected, Certificates(_certificates_url(settings)))
        return cls(identity, settings.service_token, pushes_open=unverified, calls_open=calls_open)

    async def admit_push(self, headers: Mapping[str, str]) -> None:
        """Return if Pub/Sub pushes. Raises BadToken, Stranger or CertificatesDown."""
        if not self.pushes_open:
            await self._verify(_bearer(headers))

    async def admit_call(self, headers: Mapping[str, str]) -> None:
        """Return if this caller may use `/v1`. Raises BadToken, Stranger or CertificatesDown."""
        if self.calls_open:
            return
        given = _bearer(headers)
        if self.token is None or not hmac.compare_digest(given.encode(), self.token.encode()):
            await self._verify(given)

    async def _verify(self, token: str) -> None:
        if self.identity is None:
            raise BadToken("the token is not the one in OVERSPILL_SERVICE_TOKEN")
        await self.identity.verify(token)


def expected_of(settings: Settings) -> Expected | None:
    """What the token of a push must say, or None where no token is asked for.

    The audience is never taken from the request: its `Host` is the sender's to choose, and a token made for another
    service of the same account would open this one. Raises SetupError naming the setting that is missing.
    """
    if settings.cloud_push_unverified:
        _only_for_an_emulator(settings)
        return None
    if settings.cloud_push_account is None:
        if settings.cloud != "pubsub":
            return None  # nothing is pushed here
        raise SetupError(
            "Set OVERSPILL_CLOUD_PUSH_ACCOUNT to the e-mail of the service account in whose name Pub/Sub pushes; with "
            "an emulator, which sends no tokens, OVERSPILL_CLOUD_PUSH_UNVERIFIED=true; without Pub/Sub, "
            "OVERSPILL_CLOUD=http."
        )
    return Expected(_audiences(settings), settings.cloud_push_account)


def _only_for_an_emulator(settings: Settings) -> None:
    if settings.k_service is not None:
        raise SetupError(
            "OVERSPILL_CLOUD_PUSH_UNVERIFIED opens the service to anybody, and this is Cloud Run: unset it."
        )
    if settings.pubsub_emulator_host is None:
        raise SetupError(
            "OVERSPILL_CLOUD_PUSH_UNVERIFIED is for an emulator, and PUBSUB_EMULATOR_HOST names none: set that, or "
            "unset the switch and set OVERSPILL_CLOUD_PUSH_ACCOUNT."
        )


def _audiences(settings: Settings) -> tuple[str, ...]:
    """The one in the settings, else the addresses of the services: Pub/Sub's own default is the address pushed to.

    A token made for any of these services opens this one then. On Cloud Run, where others can be reached that one
    account pushes to, only a single address does for an audience. Raises SetupError.
    """
    if settings.cloud_audience is not None:
        return (settings.cloud_audience,)
    addresses = tuple(dict.fromkeys(url for _, url in settings.cloud_services))
    if not addresses:
        raise SetupError(
            "Set OVERSPILL_CLOUD_AUDIENCE to the audience that the push's token names, which `overspill cloud init` "
            "takes from the same setting, or OVERSPILL_CLOUD_SERVICES to the address of this service."
        )
    if len(addresses) > 1 and settings.k_service is not None:
        raise SetupError(
            "OVERSPILL_CLOUD_SERVICES names several addresses, and a token for any of them would open this service: "
            "set OVERSPILL_CLOUD_AUDIENCE, the same here as for `overspill cloud init`."
        )
    return tuple(f"{url}{path}" for url in addresses for path in ("", "/push"))


def _certificates_url(settings: Settings) -> str:
    """Where the certificates are. Raises SetupError: whoever could change them on their way could sign tokens."""
    try:
        url = httpx.URL(settings.cloud_certs_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.host and (url.scheme == "https" or (url.scheme == "http" and is_loopback_host(url.host))):
        return settings.cloud_certs_url
    raise SetupError(
        f"OVERSPILL_CLOUD_CERTS_URL is wrong: {settings.cloud_certs_url!r} is no https address. Unset it, and Google's "
        "own is taken."
    )


def _bearer(headers: Mapping[str, str]) -> str:
    """The token of the Authorization header; names of headers in lower case. Raises BadToken when there is none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise BadToken("no token: send `Authorization: Bearer <token>`")
    return token.strip()
