"""What `overspill doctor` makes of the cloud's settings. Pure."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from bus.settings import Settings
from ui.commands.findings import Finding

_SUBJECT = "cloud"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def cloud(chosen: Settings) -> list[Finding]:
    """Whether these settings name a cloud that can work, and nothing about them costs or waits more than is meant."""
    found = [*_of_kind(chosen), *_times(chosen)]
    return found or [Finding("ok", _SUBJECT, _where(chosen))]


def _where(chosen: Settings) -> str:
    if chosen.cloud == "none":
        return "turned off (OVERSPILL_CLOUD=none)"
    if chosen.cloud == "http":
        return f"a pool of services: {', '.join(url for _, url in chosen.cloud_services)}"
    if chosen.pubsub_emulator_host:
        return f"the Pub/Sub emulator at {chosen.pubsub_emulator_host}"
    if chosen.cloud_project:
        return f"Google Pub/Sub, project {chosen.cloud_project}"
    return "none is named; `overspill up` plays one on this machine"


def _of_kind(chosen: Settings) -> Iterator[Finding]:
    if chosen.cloud == "http":
        yield from _of_pool(chosen)
    elif chosen.cloud == "pubsub" and chosen.cloud_project and not chosen.pubsub_emulator_host:
        yield from _of_google(chosen)


def _of_pool(chosen: Settings) -> Iterator[Finding]:
    if not chosen.cloud_services:
        yield Finding(
            "fail", _SUBJECT, "the pool has no services.", "Name their addresses in OVERSPILL_CLOUD_SERVICES."
        )
    open_to_all = [url for _, url in chosen.cloud_services if not _is_loopback(url)]
    if open_to_all and chosen.service_token is None:
        detail = f"{', '.join(open_to_all)} would be asked without a token, and refuses that."
        yield Finding("warn", _SUBJECT, detail, "Set OVERSPILL_SERVICE_TOKEN to the same text here and there.")


def _of_google(chosen: Settings) -> Iterator[Finding]:
    plain = [url for _, url in chosen.cloud_services if not url.startswith("https://")]
    if plain:
        detail = f"Pub/Sub does not push to {', '.join(plain)}."
        yield Finding("fail", _SUBJECT, detail, "Name https:// addresses in OVERSPILL_CLOUD_SERVICES.")
    if chosen.cloud_services and chosen.cloud_push_account is None:
        detail = "no service account is named for the pushes, and the service takes none without."
        remedy = "Set OVERSPILL_CLOUD_PUSH_ACCOUNT, then run `overspill cloud init` again."
        yield Finding("warn", _SUBJECT, detail, remedy)
    if chosen.cloud_money_per_day is None:
        remedy = "Set OVERSPILL_CLOUD_MONEY_PER_DAY (US dollars); past it, jobs wait for the VMs."
        yield Finding("warn", _SUBJECT, "nothing caps what a day's overflow may cost.", remedy)


def _times(chosen: Settings) -> Iterator[Finding]:
    if chosen.cloud != "none" and chosen.cloud_timeout_s < chosen.job_timeout_s:
        detail = (
            f"an answer is waited for {chosen.cloud_timeout_s:g} s; a job may run {chosen.job_timeout_s:g} s there."
        )
        yield Finding("warn", _SUBJECT, detail, "Raise OVERSPILL_CLOUD_TIMEOUT_S, or lower OVERSPILL_JOB_TIMEOUT_S.")


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK
