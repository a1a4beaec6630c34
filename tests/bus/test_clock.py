import time

from bus.clock import now_ms


def test_it_tells_whole_milliseconds_of_the_wall_clock() -> None:
    before = time.time()
    told = now_ms()
    assert isinstance(told, int)
    assert int(before * 1000) <= told <= time.time() * 1000
