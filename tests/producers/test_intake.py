"""How far the router looks into the lanes, played against a broker that delivers what a prefetch allows."""

from collections import deque
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from producers.intake import Grant, Intake

KIB, MIB = 1 << 10, 1 << 20
LARGEST = 16 * MIB
LANES = [f"lane.{n:02d}" for n in range(16)]


class Broker:
    """Lanes of jobs, each a size, and the consumers on them: a prefetch counts a consumer's own unacked jobs."""

    def __init__(self, intake: Intake, **lanes: Iterable[int]) -> None:
        self.intake = intake
        self.waiting = {queue: deque(sizes) for queue, sizes in lanes.items()}
        self.room = dict.fromkeys(lanes, 0)
        self.consumer = dict.fromkeys(lanes, 0)
        self.unacked: dict[int, tuple[str, int, int]] = {}
        self.asked: list[Grant] = []
        self.count = 0
        self.held = 0
        self.grants = 0

    def deliver(self, queue: str) -> bool:
        if not (self.room[queue] and self.waiting[queue]):
            return False
        size = self.waiting[queue].popleft()
        self.room[queue] -= 1
        self.count += 1
        self.unacked[self.count] = (queue, size, self.consumer[queue])
        self.held += size
        self.intake.delivered(queue, self.count, size)
        return True

    def settle(self, ticket: int) -> None:
        queue, size, consumer = self.unacked.pop(ticket)
        self.held -= size
        self.room[queue] += consumer == self.consumer[queue]
        self.intake.settled(ticket)

    def plan(self) -> list[Grant]:
        grants = self.intake.plan()
        self.asked += grants
        assert len({grant.queue for grant in self.asked}) == len(self.asked), "two grants of one lane under way"
        return grants

    def grant(self, which: int = 0) -> None:
        grant = self.asked.pop(which)
        if not self.intake.hungry(grant.queue):
            self.intake.withdrawn(grant.queue)
            return
        self.room[grant.queue] = grant.prefetch
        self.consumer[grant.queue] += 1
        self.intake.granted(*grant)
        self.grants += 1

    def deliver_all(self) -> bool:
        """One job of each lane, round and round, until no lane can; whether there was any."""
        before = self.count
        while sum(self.deliver(queue) for queue in self.waiting):
            pass
        return self.count > before

    def settle_down(self) -> None:
        """Deliver, plan and grant until nothing moves."""
        while self.plan() or self.asked or self.deliver_all():
            while self.asked:
                self.grant()

    def held_of(self, queue: str) -> int:
        return sum(name == queue for name, _, _ in self.unacked.values())


def broker(intake: Intake, deep: dict[str, list[int]]) -> Broker:
    return Broker(intake, **({queue: [] for queue in LANES} | deep))


def test_every_lane_begins_at_first() -> None:
    intake = Intake(LANES, first=4, budget=256 * MIB)
    assert intake.plan() == [Grant(queue, 4) for queue in LANES]
    assert intake.plan() == []
    for queue in LANES:
        intake.granted(queue, 4)
    assert intake.plan() == []


def test_a_used_up_lane_is_looked_at_twice_as_far() -> None:
    bus = broker(Intake(LANES, first=4, budget=256 * MIB), {"lane.03": [KIB] * 100})
    seen = []
    for _ in range(5):
        seen.append([prefetch for queue, prefetch in bus.plan() if queue == "lane.03"])
        while bus.asked:
            bus.grant()
        while bus.deliver("lane.03"):
            pass
    assert seen == [[4], [8], [16], [32], [36]]
    assert bus.held_of("lane.03") == 4 + 8 + 16 + 32 + 36


def test_a_lane_with_room_left_does_not_grow() -> None:
    bus = broker(Intake(LANES, first=4, budget=256 * MIB), {"lane.03": [KIB] * 3})
    bus.settle_down()
    assert (bus.grants, bus.plan()) == (16, [])


def test_a_deep_lane_of_a_thousand_jobs_is_soon_seen_whole() -> None:
    bus = broker(Intake(LANES, first=4, budget=256 * MIB), {"lane.00": [200 * KIB] * 1000})
    bus.settle_down()
    assert len(bus.unacked) == len(bus.intake) == 1000
    assert bus.grants - 16 < 45
    assert bus.held == bus.intake.held_bytes == 1000 * 200 * KIB


def test_even_sizes_never_take_more_than_the_budget() -> None:
    bus = broker(Intake(LANES, first=4, budget=64 * MIB), {queue: [200 * KIB] * 200 for queue in LANES})
    bus.settle_down()
    assert 56 * MIB < bus.held <= 64 * MIB


def test_lanes_that_hold_little_grow_before_one_that_holds_much() -> None:
    bus = broker(Intake(LANES, first=4, budget=64 * MIB), {"lane.00": [200 * KIB] * 1000})
    bus.settle_down()
    bus.waiting["lane.01"] += [200 * KIB] * 1000
    while bus.unacked and bus.held_of("lane.01") < bus.held_of("lane.00"):
        bus.settle(min(bus.unacked))
        bus.settle_down()
    assert abs(bus.held_of("lane.01") - bus.held_of("lane.00")) <= 64
    assert bus.held_of("lane.01") > 64


def test_deep_lanes_are_looked_at_alike() -> None:
    deep = {queue: [100 * KIB] * 2000 for queue in LANES}
    bus = broker(Intake(LANES, first=4, budget=256 * MIB), deep)
    bus.settle_down()
    depths = [bus.held_of(queue) for queue in LANES]
    assert max(depths) - min(depths) <= 12
    assert sum(depths) > 2000


def test_lanes_grow_even_when_another_keeps_the_spare_prefetch() -> None:
    bus = broker(Intake(LANES, first=4, budget=256 * MIB), {"lane.00": [KIB] * 500})
    bus.settle_down()
    while bus.unacked:
        bus.settle(min(bus.unacked))
    bus.waiting["lane.01"] += [KIB] * 500
    bus.settle_down()
    assert bus.held_of("lane.01") == 500


def test_a_lane_that_has_room_again_is_left_as_it_is() -> None:
    intake = Intake(LANES[:1], first=1, budget=MIB)
    bus = Broker(intake, **{"lane.00": [KIB] * 3})
    bus.plan()
    assert intake.hungry("lane.00")
    bus.grant()
    bus.deliver("lane.00")
    (grant,) = bus.plan()
    bus.settle(1)
    assert not intake.hungry(grant.queue)
    intake.withdrawn(grant.queue)
    bus.asked.clear()
    bus.deliver("lane.00")
    assert bus.plan() == [grant]


def test_a_full_window_is_not_refilled_job_by_job() -> None:
    bus = broker(Intake(LANES, first=4, budget=64 * MIB), {"lane.00": [200 * KIB] * 1000})
    bus.settle_down()
    before = bus.grants
    for _ in range(200):
        bus.settle(min(bus.unacked))
        bus.settle_down()
    assert bus.grants - before < 40


def test_a_lost_connection_takes_all_with_it() -> None:
    bus = broker(Intake(LANES, first=4, budget=256 * MIB), {"lane.00": [KIB] * 100})
    bus.settle_down()
    intake = bus.intake
    intake.reset()
    assert (len(intake), intake.held_bytes) == (0, 0)
    intake.settled(1)  # an ack that was too late
    assert intake.plan() == [Grant(queue, 4) for queue in LANES]
    for queue in LANES:
        intake.granted(queue, 4)
    for ticket in range(1, 5):
        intake.delivered("lane.00", ticket, KIB)
    assert intake.plan() == [Grant("lane.00", 8)]


# However sizes turn out

SIZES = st.sampled_from([0, KIB, 200 * KIB, 4 * MIB, LARGEST])
STEPS = st.lists(st.tuples(st.sampled_from("dddddsspg"), st.integers(0, 999)), min_size=20, max_size=150)


@settings(deadline=None)
@given(
    st.lists(st.lists(st.tuples(SIZES, st.integers(1, 40)), max_size=4), min_size=1, max_size=4),
    st.integers(1, 5),
    st.sampled_from([MIB, 16 * MIB, 64 * MIB]),
    STEPS,
)
def test_never_more_is_held_than_promised_and_all_comes_in_the_end(
    runs: list[list[tuple[int, int]]], first: int, budget: int, steps: list[tuple[str, int]]
) -> None:
    lanes = {f"l{n}": [size for size, times in lane for _ in range(times)] for n, lane in enumerate(runs)}
    intake = Intake(lanes, first, budget)
    bus = Broker(intake, **lanes)
    for step, number in steps:
        play(bus, step, number)
        assert bus.held == intake.held_bytes <= budget + intake.most * LARGEST
    assert intake.most <= max(2, 3 if len(lanes) == 1 else 2.5) * len(lanes) * first
    while any(bus.waiting.values()):
        bus.settle_down()
        assert bus.held <= budget + intake.most * LARGEST
        assert bus.unacked, "a lane has jobs, none comes, and none is held"
        for ticket in list(bus.unacked):
            bus.settle(ticket)


def play(bus: Broker, step: str, number: int) -> None:
    """One step of what a broker and a router may do, in any order."""
    if step == "d":
        queue = [*bus.waiting][number % len(bus.waiting)]
        for _ in range(1 + number // 20):
            bus.deliver(queue)
    elif step == "s" and bus.unacked:
        bus.settle([*bus.unacked][number % len(bus.unacked)])
    elif step == "g" and bus.asked:
        bus.grant(number % len(bus.asked))
    elif step == "p":
        bus.plan()
