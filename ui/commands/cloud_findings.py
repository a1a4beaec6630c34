"""What `overspill doctor` makes of the cloud's settings. Pure."""

from collections.abc import Iterator

from bus.reach import is_loopback, reads_blobs
from bus.settings import Settings
from ui.commands.findings import Finding

_SUBJECT = "cloud"
_LONGEST_PUSH_S = 540.0
"""Pub/Sub waits 600 s for a push to be answered, and a minute of that is for what is not the run itself."""


def cloud(chosen: Settings) -> list[Finding]:
    """Whether these settings name a cloud that can work, and nothing about them costs or waits more than is meant."""
    found = [] if chosen.cloud == "none" else [*_of_kind(chosen), *_blobs(chosen), *_times(chosen)]
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
    elif chosen.pubsub_emulator_host:
        yield from _of_emulator(chosen)
    elif chosen.cloud_project:
        yield from _of_google(chosen)


def _of_pool(chosen: Settings) -> Iterator[Finding]:
    if not chosen.cloud_services:
        yield Finding(
            "fail", _SUBJECT, "the pool has no services.", "Name their addresses in OVERSPILL_CLOUD_SERVICES."
        )
    open_to_all = [url for _, url in chosen.cloud_services if not is_loopback(url)]
    if open_to_all and chosen.service_token is None:
        detail = f"{', '.join(open_to_all)} would be asked without a token, and refuses that."
        yield Finding("warn", _SUBJECT, detail, "Set OVERSPILL_SERVICE_TOKEN to the same text here and there.")
    if chosen.cloud_money_per_day is not None:
        remedy = "Unset OVERSPILL_CLOUD_MONEY_PER_DAY, and set OVERSPILL_CLOUD_JOBS_PER_MINUTE if there must be a cap."
        yield Finding("warn", _SUBJECT, "a pool's jobs are taken to cost nothing: no cap in US dollars acts.", remedy)


def _of_emulator(chosen: Settings) -> Iterator[Finding]:
    if chosen.cloud_push_account is not None:
        detail = "a service account is named for the pushes, and an emulator's come without its tokens."
        remedy = "Unset OVERSPILL_CLOUD_PUSH_ACCOUNT, or for Google's own service PUBSUB_EMULATOR_HOST."
        yield Finding("warn", _SUBJECT, detail, remedy)


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


def _blobs(chosen: Settings) -> Iterator[Finding]:
    if chosen.blobs is None:
        return
    if not reads_blobs(chosen):
        detail = f"it can't read {chosen.blobs}: what is too large for a message stays with the VMs."
        remedy = "Name a bucket in OVERSPILL_BLOBS (gs://, s3://, az://) that the cloud's services may read."
        yield Finding("warn", _SUBJECT, detail, remedy)
    if chosen.blobs_kept_s < chosen.cloud_timeout_s:
        detail = (
            f"the blob store keeps pictures for {chosen.blobs_kept_s:g} s; "
            f"the cloud's answer is waited for {chosen.cloud_timeout_s:g} s."
        )
        yield Finding("warn", _SUBJECT, detail, "Raise OVERSPILL_BLOBS_KEPT_S.")


def _times(chosen: Settings) -> Iterator[Finding]:
    longest_s = chosen.job_timeout_s
    if chosen.cloud_timeout_s < longest_s:
        detail = f"an answer is waited for {chosen.cloud_timeout_s:g} s; a job may run {longest_s:g} s there."
        yield Finding("warn", _SUBJECT, detail, "Raise OVERSPILL_CLOUD_TIMEOUT_S, or lower OVERSPILL_JOB_TIMEOUT_S.")
    if chosen.cloud == "pubsub" and longest_s > _LONGEST_PUSH_S:
        detail = (
            f"a job may run {longest_s:g} s; what runs longer than {_LONGEST_PUSH_S:g} s, Pub/Sub pushes once more."
        )
        yield Finding("warn", _SUBJECT, detail, f"Lower OVERSPILL_JOB_TIMEOUT_S to {_LONGEST_PUSH_S:g} or less.")
