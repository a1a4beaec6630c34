from ui.stack.metrics import address, given
from ui.stack.plan import Program

ROUTER, VM = (
    Program("router", ("overspill", "router")),
    Program("vm1", ("overspill", "vm"), {"AMQP_URL": "amqp://here"}),
)
PORTS = {"router": 20_001, "vm1": 20_002}


def test_each_program_is_told_a_port_of_its_own() -> None:
    router, vm = given((ROUTER, VM), PORTS, "127.0.0.1")
    assert router.environ == {"OVERSPILL_METRICS_HOST": "127.0.0.1", "OVERSPILL_METRICS_PORT": "20001"}
    assert vm.environ["OVERSPILL_METRICS_PORT"] == "20002"
    assert vm.environ["AMQP_URL"] == "amqp://here"
    assert (router.name, router.command) == (ROUTER.name, ROUTER.command)


def test_they_are_told_where_all_of_them_are() -> None:
    told = "router=http://127.0.0.1:20001/metrics,vm1=http://127.0.0.1:20002/metrics"
    assert address(PORTS, "127.0.0.1") == {"METRICS_URLS": told}
