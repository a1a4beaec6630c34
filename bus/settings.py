"""Every setting, typed: environment variables first, then one TOML file, then these defaults.

`AMQP_URL` and a few of Google's have no prefix; all others are `OVERSPILL_<NAME>` in the environment and `<name>` in
the file that `OVERSPILL_CONFIG` names (else `overspill.toml` in the working directory). Only `main()` functions call
`load()`.
"""

import os
import socket
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from bus.errors import SetupError
from bus.page_settings import PageSettings
from bus.problems import bad_field
from bus.service_addresses import check_address, services_of
from bus.telemetry_settings import TelemetrySettings
from bus.topology import OPERATIONS, vm_queue

MIB = 1 << 20
NAMED_BY_OTHERS = frozenset(
    {"AMQP_URL", "PUBSUB_EMULATOR_HOST", "PORT", "K_SERVICE", "K_REVISION", "OTEL_EXPORTER_OTLP_ENDPOINT"}
)
"""Variables that others named; all the rest have our prefix."""
_SECRET = frozenset({"AMQP_URL", "service_token", "page_oidc_secret"})
"""What no complaint repeats the value of."""


def _beside_the_environment() -> Path:
    """`.overspill` next to the virtual environment, so that its command finds the stack from any folder."""
    in_venv = sys.prefix != sys.base_prefix
    return (Path(sys.prefix).parent if in_venv else Path.cwd()) / ".overspill"


class Settings(PageSettings, TelemetrySettings):
    """All settings of all processes."""

    model_config = SettingsConfigDict(
        env_prefix="OVERSPILL_", extra="ignore", frozen=True, populate_by_name=True, allow_inf_nan=False
    )

    amqp_url: str | None = Field(
        None,
        validation_alias="AMQP_URL",
        description="The broker. Unset: that of the running stack beside the command.",
    )
    state_dir: Path = Field(
        default_factory=_beside_the_environment,
        description="Where `overspill up` keeps its broker's data, logs and addresses.",
    )
    models_dir: Path | None = Field(
        None, description="The folder of models' weights. Unset: `models` in the state folder."
    )
    amqp_heartbeat_s: int = Field(
        5, ge=1, le=600, description="Silence after which broker and client give each other up, seconds."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="The least grave log line shown."
    )

    vm_name: str = Field(
        default_factory=lambda: _vm_name(socket.gethostname()), description="This machine's name on the bus."
    )
    slots: int | None = Field(
        None, ge=1, le=256, description="Jobs a VM runs at a time. Unset: one per processor it may use."
    )
    look_ahead: int = Field(1, ge=0, le=16, description="Jobs a VM may hold beyond its slots, to hide the round trip.")
    operations: Annotated[tuple[str, ...], NoDecode] = Field(
        OPERATIONS, description="Operations this VM offers, if it can run them."
    )
    child_memory_mib: int | None = Field(
        None,
        ge=256,
        description="Memory each of a VM's computing processes may take, MiB. Unset: an equal share of 80 % of the "
        "machine's.",
    )
    beat_interval_s: float = Field(1.0, gt=0, le=60, description="Seconds between heartbeats.")

    policy: Literal["threshold", "least-loaded", "p2c", "predictive"] = Field(
        "threshold", description="How the router places jobs; see docs/policies.md."
    )
    cpu_threshold: float = Field(40.0, ge=0, le=100, description="Mean CPU percent from which a VM counts as loaded.")
    ram_threshold: float = Field(90.0, ge=0, le=100, description="RAM percent from which a VM counts as loaded.")
    lost_after_beats: int = Field(3, ge=1, le=60, description="Beats missed before a VM is lost.")
    lane_prefetch: int = Field(
        4, ge=1, le=64, description="Jobs the router looks ahead in each lane to begin with; they stay the lane's."
    )
    window_mib: int = Field(
        256, ge=1, description="Jobs the router holds while it looks further ahead in the lanes, MiB."
    )
    user_weights: Annotated[dict[str, float], NoDecode] = Field(
        default_factory=dict,
        description="Shares of computing time, as `anna=2,ben=0.5`; a user not named has 1. In the file a table.",
    )
    user_queued: int = Field(
        1000,
        ge=1,
        description="Jobs a user may have in line, as far as the router looks into the lanes; more are refused.",
    )
    user_jobs_per_minute: int | None = Field(
        None, ge=1, description="Jobs a user may send in a minute; more are refused. Unset: any number."
    )
    slot_megapixels: float = Field(
        25.0, gt=0, description="Megapixels from which a job takes a second slot of its VM, and so on."
    )
    cloud: Literal["pubsub", "http", "none"] = Field(
        "pubsub", description="What takes the overflow: Google Pub/Sub, a pool of services over HTTP, or nothing."
    )
    cloud_services: Annotated[tuple[tuple[str, str], ...], NoDecode] = Field(
        (),
        description="Addresses of the cloud services, as `https://all.example` or `sketch=https://a.example,"
        "caption=https://b.example`. Pub/Sub pushes to the first of an operation; `http` spreads over all. Operations "
        "without one don't overflow.",
    )
    cloud_project: str | None = Field(
        None, description="The Google Cloud project of the topics. Unset: `overspill`, on an emulator alone."
    )
    cloud_prefix: str = Field(
        "overspill",
        pattern=r"^[a-z][a-z0-9-]{2,40}$",
        description="What the names of topics and subscriptions begin with.",
    )
    pubsub_emulator_host: str | None = Field(
        None,
        validation_alias="PUBSUB_EMULATOR_HOST",
        description="host:port of a Pub/Sub emulator, in place of Google's service.",
    )
    cloud_push_account: str | None = Field(
        None, description="E-mail of the service account in whose name Pub/Sub pushes; no other's token is taken."
    )
    cloud_audience: str | None = Field(
        None,
        description="The audience that the push's token must name. Unset: the services' addresses in "
        "OVERSPILL_CLOUD_SERVICES.",
    )
    cloud_push_unverified: bool = Field(
        False, description="Take pushes without a token. Refused on Cloud Run, and without PUBSUB_EMULATOR_HOST."
    )
    cloud_certs_url: str = Field(
        "https://www.googleapis.com/oauth2/v1/certs",
        description="Where the certificates are that sign the tokens of pushes.",
    )
    cloud_in_flight: int = Field(32, ge=1, le=2000, description="Jobs in the cloud at a time.")
    cloud_timeout_s: float = Field(
        300.0,
        gt=0,
        le=1500,
        description="Wait for the cloud's answer, seconds; then the job is answered with a problem.",
    )
    cloud_deliveries: int = Field(
        10, ge=5, le=100, description="Pushes of a job before Pub/Sub gives it up; it then goes home to the VMs, once."
    )
    cloud_jobs_per_minute: int | None = Field(
        None, ge=0, description="Jobs that may overflow in a minute. Unset: any number."
    )
    cloud_money_per_day: float | None = Field(
        None, ge=0, description="Estimated price of a day's overflow, in US dollars. Unset: any price."
    )
    cloud_vcpus: float = Field(2.0, ge=0, description="Processors of an instance of the cloud service, for its price.")
    cloud_memory_gib: float = Field(4.0, ge=0, description="Memory of an instance, GiB, for its price.")
    price_vcpu_s: float = Field(0.000_024, ge=0, description="Price of a vCPU-second, US dollars.")
    price_gib_s: float = Field(0.000_002_5, ge=0, description="Price of a GiB-second, US dollars.")
    price_request: float = Field(0.000_000_4, ge=0, description="Price of a request, US dollars.")
    price_tib: float = Field(
        80.0, ge=0, description="Price of a TiB through Pub/Sub, published and delivered, US dollars."
    )
    uplink_mbit: float = Field(20.0, gt=0, description="What the site's line carries towards the cloud, Mbit/s.")

    service_host: str = Field("127.0.0.1", description="The address the cloud service listens on.")
    port: int = Field(
        8080, ge=0, le=65_535, validation_alias="PORT", description="The port of the cloud service; Cloud Run sets it."
    )
    service_token: str | None = Field(
        None, min_length=1, description="The bearer token that `/v1` of the service asks for, and the bridge sends."
    )
    k_service: str | None = Field(
        None, validation_alias="K_SERVICE", description="Set by Cloud Run: the service's name."
    )
    k_revision: str | None = Field(
        None, validation_alias="K_REVISION", description="Set by Cloud Run: the revision, told in answers."
    )

    blobs: str | None = Field(
        None,
        description="The blob store of pictures and results too large for a message: `file:///folder`, "
        "`gs://bucket/folder`, `s3://bucket/folder` or `az://container/folder`. Unset: those are refused.",
    )
    blobs_kept_s: float = Field(86_400.0, ge=60, description="How long what lies in the blob store is kept, seconds.")
    max_claim_bytes: int = Field(64 * MIB, ge=1, description="Largest picture or result in the blob store, bytes.")

    max_image_bytes: int = Field(16 * MIB, ge=1, description="Largest image in a message, bytes.")
    max_pixels: int = Field(50_000_000, ge=1, description="Largest image, pixels (width x height).")
    retry_delay_s: float = Field(
        0.5, ge=0, description="Wait before a failed job's second attempt, seconds; doubled for each further one."
    )
    job_timeout_s: float = Field(60.0, gt=0, description="Longest run of one job, seconds.")
    max_attempts: int = Field(3, ge=1, le=100, description="Placements of a job before it is answered with a problem.")
    answers_kept_mib: int = Field(
        64,
        ge=0,
        description="Memory a VM, or the bridge, spends on its latest answers, to give a repeat the same one, MiB.",
    )

    @field_validator("vm_name")
    @classmethod
    def _usable_in_a_key(cls, name: str) -> str:
        vm_queue(name)
        return name

    @field_validator("service_token", mode="before")
    @classmethod
    def _fits_a_header(cls, token: Any) -> Any:
        token = token.strip() if isinstance(token, str) else token  # of the line break that a file ends with
        if isinstance(token, str) and not all("!" <= character <= "~" for character in token):
            raise ValueError("must be printable ASCII without spaces, to be sent in a header")
        return token

    @field_validator("operations", mode="before")
    @classmethod
    def _comma_separated(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("cloud_services", mode="before")
    @classmethod
    def _addresses(cls, value: Any) -> Any:
        return services_of(value) if isinstance(value, str) else value

    @field_validator("cloud_services")
    @classmethod
    def _callable(cls, services: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        for _, url in services:
            check_address(url)
        return services

    @field_validator("user_weights", mode="before")
    @classmethod
    def _pairs(cls, value: Any) -> Any:
        return dict(_pair(part) for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("user_weights")
    @classmethod
    def _positive(cls, weights: dict[str, float]) -> dict[str, float]:
        if any(weight <= 0 for weight in weights.values()):
            raise ValueError("must be greater than 0 for each user")
        return weights

    @property
    def lost_after_s(self) -> float:
        """Seconds of silence after which a VM is lost."""
        return self.beat_interval_s * self.lost_after_beats

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (the signature is pydantic's)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file over defaults."""
        toml = TomlConfigSettingsSource(settings_cls, toml_file=os.environ.get("OVERSPILL_CONFIG", "overspill.toml"))
        return init_settings, env_settings, toml


def _pair(part: str) -> tuple[str, str]:
    user, separator, weight = part.rpartition("=")
    if not separator:
        raise ValueError("must look like anna=2,ben=0.5")
    return user.strip(), weight.strip()


def _vm_name(hostname: str) -> str:
    kept = "".join(c if c.isascii() and c.isalnum() else "-" for c in hostname.lower()).strip("-")
    return kept[:63].strip("-") or "vm"


def load(**overrides: Any) -> Settings:
    """The settings of this process. Raises SetupError naming the setting, or the file, that is wrong."""
    named = os.environ.get("OVERSPILL_CONFIG")
    if named and not Path(named).is_file():
        raise SetupError(f"OVERSPILL_CONFIG names {named}, which is not there: correct the path, or unset it.")
    try:
        return Settings(**{key: value for key, value in overrides.items() if value is not None})
    except tomllib.TOMLDecodeError as error:
        raise SetupError(f"{named or 'overspill.toml'} is not TOML: {error}. See docs/settings.md.") from None
    except ValidationError as error:
        problem = bad_field(error, secrets=_SECRET)
        name = (problem.field or "").upper()
        name = name if name in NAMED_BY_OTHERS else f"OVERSPILL_{name}"
        raise SetupError(f"{name} is wrong: {problem.detail} See docs/settings.md.") from None
