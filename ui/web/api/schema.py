"""The JSON of the API. Times named `_ms` are milliseconds since the Unix epoch; what is not known is null. Pure."""

from collections.abc import Mapping
from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from bus.problems import Problem
from ui.web.jobs.record import ENDS, Record, Route, Site, State

BASE: Final = "/api/v1"
ID: Final = r"^[0-9a-f]{32}$"
"""What a job's id looks like."""


class Told(BaseModel):
    """What all models here have in common."""

    model_config = ConfigDict(frozen=True)


class Picture(Told):
    """The picture that was sent."""

    bytes: int = Field(examples=[482_113])
    type: str = Field(description="By its own first bytes.", examples=["image/jpeg"])
    width: int | None = Field(None, description="Pixels, as its header tells.")
    height: int | None = None
    url: str = Field(description="Where it is.")
    preview: str = Field(description="Where it is at 1600 pixels at most.")
    thumbnail: str = Field(description="Where it is at 480 pixels at most.")


class Result(Told):
    """What came of it."""

    bytes: int
    type: str = Field(examples=["image/jpeg"])
    url: str = Field(description="Where it is.")
    preview: str | None = Field(None, description="Where it is at 1600 pixels at most; null of a caption.")
    thumbnail: str | None = Field(None, description="Where it is at 480 pixels at most; null of a caption.")
    caption: str | None = Field(None, description="The caption, where that is the result.")


class Job(Told):
    """One job."""

    id: str = Field(pattern=ID, examples=["9f86d081884c7d659a2feaa0c55ad015"])
    operation: str = Field(examples=["sketch"])
    params: dict[str, Any] = Field(description="As the operation understood them.")
    name: str = Field(description="The picture's file name, as plain text.", examples=["cup.jpg"])
    state: State
    user: str
    site: Site = Field(description="`local` keeps the picture off the cloud.")
    created_ms: int
    updated_ms: int
    ended_ms: int | None = None
    expires_ms: int = Field(description="When it is removed with its pictures.")
    picture: Picture
    place: int | None = Field(None, description="Place in line, 1 is next.")
    eta_s: tuple[float, float] | None = Field(
        None, description="Seconds to its end, from when to when, as of updated_ms."
    )
    vm: str | None = Field(None, description="The machine, or the cloud service's revision.")
    route: Route | None = None
    attempt: int | None = Field(None, description="How often it was placed.")
    waited_ms: int | None = Field(None, description="In line.")
    ran_ms: int | None = None
    model: str | None = Field(None, description="The program or network that made the result.")
    cost: float | None = Field(None, description="Estimated price of a run in the cloud, US dollars.")
    result: Result | None = None
    problem: Problem | None = Field(None, description="Why it failed, and what can be done.")
    retry_of: str | None = Field(None, description="The job that this one tries again.")
    url: str
    page: str = Field(description="Where a person looks at it.")

    @classmethod
    def of(cls, record: Record) -> Self:
        """The job as its record tells it."""
        url = f"{BASE}/jobs/{record.id}"
        return cls(
            **{name: getattr(record, name) for name in _SAME},
            picture=Picture(**record.picture.model_dump(), **_pictures(f"{url}/picture")),
            result=_result(record, f"{url}/result"),
            url=url,
            page=f"/jobs/{record.id}",
        )


_SAME: Final = tuple(name for name in Job.model_fields if name not in {"picture", "result", "url", "page"})


def _pictures(url: str) -> dict[str, Any]:
    return {"url": url, "preview": f"{url}/preview", "thumbnail": f"{url}/thumbnail"}


def _result(record: Record, url: str) -> Result | None:
    if record.result is None:
        return None
    kept = record.result
    urls = {"url": url} if kept.caption is not None else _pictures(url)
    return Result(bytes=kept.bytes, type=kept.type, caption=kept.caption, **urls)


class JobCounts(Told):
    """How many jobs the caller has."""

    under_way: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0

    @classmethod
    def of(cls, states: Mapping[str, int]) -> Self:
        """From how many are in each state."""
        ended = {state: n for state, n in states.items() if state in ENDS}
        return cls(under_way=sum(states.values()) - sum(ended.values()), **ended)


class JobPage(Told):
    """Some of the caller's jobs, newest first."""

    jobs: list[Job]
    next: str | None = Field(None, description="The cursor of the next page; null on the last.")
    counts: JobCounts = Field(description="Of all of the caller's jobs, whichever were asked for.")
    last_event_id: int = Field(description="Follow /events from here, and nothing is missed.")


class Caption(Told):
    """The result of `caption`."""

    caption: str = Field(examples=["a cup of coffee on a table"])


class Why(Told):
    """Why a job went where it went."""

    lines: list[str] = Field(description="In words.")
    receipt: dict[str, Any] | None = Field(None, description="The router's latest decision, with all it looked at.")
    events: list[dict[str, Any]] = Field(description="What was told of the job, oldest first.")


class OperationTold(Told):
    """One operation."""

    name: str
    served: bool = Field(description="Whether anything here serves it now.")
    why: str | None = Field(None, description="Why not.")
    params: dict[str, Any] = Field(description="JSON schema of its parameters.")


class Limits(Told):
    """The largest picture taken."""

    max_bytes: int
    max_pixels: int


class Me(Told):
    """Who calls, and what they may do."""

    name: str
    role: Literal["user", "operator"]
    login: Literal["open", "accounts", "oidc", "proxy"]
    operations: list[OperationTold]
    limits: Limits
    kept_s: float = Field(description="How long jobs are kept, seconds.")


class Removed(Told):
    """Data of the event `removed`."""

    id: str
