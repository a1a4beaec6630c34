"""The settings of the page, the dashboard and the HTTP API; `bus.settings.Settings` holds them with the rest. Pure."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode

Login = Literal["open", "accounts", "oidc", "proxy"]


class PageSettings(BaseSettings):
    """How the page is reached, who may use it, and how much it keeps."""

    page_host: str = Field("127.0.0.1", description="The address the page listens on.")
    page_port: int = Field(8600, ge=0, le=65_535, description="The port of the page; 0 takes any free one.")
    page_url: str | None = Field(
        None,
        pattern=r"^https?://[^/]+$",
        description="The address people see, where a proxy stands before the page: `https://pictures.example`. Cookies "
        "are for that address alone, and Secure over https. Unset: the address it is asked at.",
    )
    page_login: Login = Field(
        "accounts",
        description="Who may use the page: local `accounts`, those of an `oidc` provider, those a `proxy` names, or "
        "`open`: everybody as the one user `demo`, on loopback only. `overspill up` opens it unless this is set.",
    )
    page_operators: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Users who are operators whatever their account says: they see the dashboard."
    )
    page_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (ip_network("127.0.0.1/32"), ip_network("::1/128")),
        description="Networks of proxies whose word is taken for who calls, from where, and over https or not.",
    )
    page_proxy_header: str = Field(
        "X-Forwarded-User", description="The header in which a proxy names the user it has logged in."
    )
    page_oidc_issuer: str | None = Field(None, description="The OpenID provider, as `https://accounts.example`.")
    page_oidc_client: str | None = Field(None, description="Our client id there.")
    page_oidc_secret: str | None = Field(None, description="Our client secret there.")
    page_session_s: float = Field(604_800.0, ge=60, description="How long a login holds, seconds.")
    page_dir: Path | None = Field(
        None, description="Where jobs, pictures and accounts are kept. Unset: `page` in the state folder."
    )
    page_kept_s: float = Field(86_400.0, ge=60, description="How long jobs and their pictures are kept, seconds.")
    page_job_s: float = Field(
        3600.0, ge=1, le=86_400, description="How long a job may wait before it expires, seconds."
    )
    page_disk_mib: int = Field(
        20_480, ge=1, description="The most disk that all jobs take, MiB: pictures, results, and 32 KiB each."
    )
    page_user_mib: int = Field(4096, ge=1, description="The most disk that the jobs of one user take, MiB.")
    page_user_jobs: int = Field(1000, ge=1, description="Jobs a user may have under way at a time.")
    page_user_uploads: int = Field(64, ge=1, description="Uploads of a user at a time.")
    page_user_rate: int = Field(600, ge=1, description="Jobs a user may begin in a minute.")
    page_requests_rate: int = Field(
        3000, ge=1, description="Requests of a user, or of an address that is nobody yet, in a minute."
    )
    page_webhooks_private: bool | None = Field(
        None,
        description="Whether webhooks may call addresses that are not public: loopback and the site's own. Unset: only "
        "where the page is `open`.",
    )

    @field_validator("page_operators", "page_proxies", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
