import httpx
import pytest

from tests.ui.web.api.house import House
from ui.web.api.me import operations_of
from ui.web.live.sample import CloudTold, Latency, Sample, VmTold


def test_who_calls_and_what_they_may_do(house: House, anna: httpx.Client) -> None:
    me = anna.get("/api/v1/me").json()
    assert (me["role"], me["login"]) == ("user", "accounts")
    assert me["limits"] == {"max_bytes": 16 << 20, "max_pixels": 50_000_000}
    assert [operation["name"] for operation in me["operations"]] == ["sketch", "remove-background", "caption"]
    assert "style" in me["operations"][0]["params"]["properties"]

    with house.client(house.token("operator", "operator")) as operator:
        assert operator.get("/api/v1/me").json()["role"] == "operator"


VM = VmTold(state="ready", cores=1, slots=1, look_ahead=1, running=0, held=0, age_s=0.1, operations=("sketch",))
LOST = VM.model_copy(update={"state": "lost"})
LACKING = VM.model_copy(update={"operations": (), "not_served": {"sketch": "no OpenCV; install it"}})
CLOUD = CloudTold(name="b", state="ready", in_flight=0, capacity=1, spent_today=0, sent_last_minute=0)
NOTHING = Sample(
    at_ms=0, connected=True, vms={}, lanes={}, queues={}, second_ms=0, placed={}, latency=Latency(n=0),
    cpu_threshold=40, ram_threshold=90,
)  # fmt: skip


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"vms": {"vm1": VM}}, None),
        ({"vms": {"vm1": VM, "vm2": LACKING}}, None),
        ({"cloud": CLOUD}, None),
        ({"cloud": CLOUD.model_copy(update={"operations": ("sketch",)})}, None),
        ({"cloud": CLOUD.model_copy(update={"operations": ("caption",)})}, "No machine is there; jobs wait."),
        ({"vms": {"vm1": VM}, "paused": ("sketch",)}, "An operator has paused it; jobs wait."),
        ({"vms": {"vm1": LACKING}}, "no OpenCV; install it"),
        ({"vms": {"vm1": VM.model_copy(update={"operations": ()})}}, "No machine offers it; jobs wait."),
        ({"vms": {"vm1": LOST}}, "No machine is there; jobs wait."),
        ({}, "No machine is there; jobs wait."),
        ({"connected": False}, "The page does not hear the machines just now; jobs wait."),
    ],
)
def test_whether_sketches_are_made_now(seen: dict[str, object], why: str | None) -> None:
    sketch = next(operations_of(NOTHING.model_copy(update=seen)))
    assert (sketch.name, sketch.served, sketch.why) == ("sketch", why is None, why)
