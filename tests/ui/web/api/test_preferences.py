import pytest

from ui.web.api.preferences import wait_s


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ([], None),
        (["wait=30"], 30),
        (['Wait = "5"'], 5),
        (["respond-async, wait=10; strict"], 10),
        (["respond-async", "wait=7"], 7),
        (["wait=100"], 60),
        (["wait=99999999999999999999999"], 60),
        (["wait=3, wait=9"], 3),
        (["wait=-1"], None),
        (["wait=soon"], None),
        (["wait=²"], None),
        (["wait"], None),
        (["waiting=3"], None),
    ],
)
def test_how_long_a_caller_would_wait(headers: list[str], seconds: int | None) -> None:
    assert wait_s(headers) == seconds
