from hypothesis import given
from hypothesis import strategies as st

from bus.problems import Kind
from bus.topology import OPERATIONS
from telemetry.metrics.labels import NONE, OTHER, method_label, operation_label, problem_label


def test_what_is_known_keeps_its_name() -> None:
    assert operation_label("remove-background") == "remove-background"
    assert problem_label("timed-out") == "timed-out"
    assert problem_label(None) == NONE
    assert method_label("GET") == "GET"


@given(st.text())
def test_whatever_strangers_send_labels_stay_few(sent: str) -> None:
    assert operation_label(sent) in {*OPERATIONS, OTHER}
    assert problem_label(sent) in {*(kind.value.slug for kind in Kind), OTHER}
    assert len(method_label(sent)) <= 7
