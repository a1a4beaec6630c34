"""Every setting, typed: environment variables first, then one TOML file, then these defaults.

`AMQP_URL` has no prefix; all others are `OVERSPILL_<NAME>` in the environment and `<name>` in the file that
`OVERSPILL_CONFIG` names (else `overspill.toml` in the working directory). Only `main()` functions call `load()`.
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
from bus.problems import bad_field
from bus.topology import OPERATIONS, vm_queue

MIB = 1 << 20


def _beside_the_environment() -> Path:
    """`.overspill` next to the virtual environment, so that its command finds the stack from any folder."""
    in_venv = sys.prefix != sys.base_prefix
    return (Path(sys.prefix).parent if in_venv else Path.cwd()) / ".overspill"


class Settings(BaseSettings):
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
    cloud_jobs_per_minute: int | None = Field(
        None, ge=0, description="Jobs that may overflow in a minute. Unset: any number."
    )
    cloud_money_per_day: float | None = Field(
        None, ge=0, description="Estimated price of a day's overflow, in US dollars. Unset: any price."
    )

    max_image_bytes: int = Field(16 * MIB, ge=1, description="Largest image in a message, bytes.")
    max_pixels: int = Field(50_000_000, ge=1, description="Largest image, pixels (width x height).")
    retry_delay_s: float = Field(
        0.5, ge=0, description="Wait before a failed job's second attempt, seconds; doubled for each further one."
    )
    job_timeout_s: float = Field(60.0, gt=0, description="Longest run of one job, seconds.")
    max_attempts: int = Field(3, ge=1, le=100, description="Placements of a job before it is answered with a problem.")
    answers_kept_mib: int = Field(
        64, ge=0, description="Memory a VM spends on its latest answers, to give a repeated job id the same one, MiB."
    )

    @field_validator("vm_name")
    @classmethod
    def _usable_in_a_key(cls, name: str) -> str:
        vm_queue(name)
        return name

    @field_validator("operations", mode="before")
    @classmethod
    def _comma_separated(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

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
        problem = bad_field(error)
        name = (problem.field or "").upper()
        name = name if name == "AMQP_URL" else f"OVERSPILL_{name}"
        raise SetupError(f"{name} is wrong: {problem.detail} See docs/settings.md.") from None
