"""What is to be different, in words."""

from producers.flight.what_if import WhatIf


def test_nothing_asked_for_is_nothing_changed() -> None:
    assert not WhatIf().changes
    assert WhatIf().said() == "nothing else"


def test_all_that_is_asked_for_is_said() -> None:
    asked = WhatIf("p2c", 60.0, 80.0, 2, ("vm1",), cloud=False, money_per_day=1.5, user_weights={"anna": 2.0})
    assert asked.changes
    assert asked.said() == (
        "p2c, CPU threshold 60 %, RAM threshold 80 %, 2 more VMs, without vm1, without the cloud, $1.5 a day, "
        "weights anna=2"
    )
    assert WhatIf(add_vms=1, cloud=True).said() == "1 more VM, with a cloud"
