import asyncio
from pathlib import Path

from bus.control import Cancel, read_command
from bus.topology import CONTROL
from tests.bus.rabbit.foreign import Foreign, eventually, network
from tests.ui.web.jobs.office import DAY_MS, NOW, office_at
from ui.web.jobs.cancels import Cancels


async def test_an_order_is_told_with_the_time_it_was_given(amqp_url: str, tmp_path: Path, foreign: Foreign) -> None:
    async with office_at(tmp_path, amqp_url) as office:
        orders = foreign.listen(CONTROL, "job.cancel")
        job, cancels = await office.add(), Cancels(office.bus, office.book, DAY_MS, office.clock)
        cancels.ask(job)
        cancels.ask(job)  # once is enough
        order = await foreign.get(orders)
        assert read_command(order.body) == Cancel(job=job.id, user="anna")
        assert order.properties.timestamp == NOW // 1000
        assert foreign.depth(orders) == 0
        await cancels.close()


async def test_an_order_outlives_a_lost_connection(amqp_url: str, tmp_path: Path, foreign: Foreign) -> None:
    async with network(amqp_url) as between, office_at(tmp_path, between.url) as office:
        orders = foreign.listen(CONTROL, "job.cancel")
        between.cut()
        await office.add(1, cancel_asked=True)
        await office.add(2)
        cancels = Cancels(office.bus, office.book, DAY_MS, office.clock)
        cancels.start()
        await asyncio.sleep(0)
        between.mend()
        assert b"0001" in (await foreign.get(orders)).body
        assert foreign.depth(orders) == 0
        await cancels.close()


async def test_a_job_that_nobody_has_placed_ends_once_the_order_is_out(
    amqp_url: str, tmp_path: Path, foreign: Foreign
) -> None:
    async with network(amqp_url) as between, office_at(tmp_path, between.url) as office:
        orders = foreign.listen(CONTROL, "job.cancel")
        between.cut()
        waiting = await office.add(1, state="queued", cancel_asked=True)
        placed = await office.add(2, state="routed", placement="p1", cancel_asked=True)
        cancels = Cancels(office.bus, office.book, DAY_MS, office.clock)
        cancels.start()
        await asyncio.sleep(0)
        assert await office.state(waiting, placed) == ["queued", "routed"]  # a crash now would lose no order
        between.mend()
        await foreign.get(orders)
        await foreign.get(orders)
        await eventually(lambda: waiting.id not in office.book.under_way)
        await cancels.close()
        assert await office.state(waiting, placed) == ["cancelled", "routed"]
        ended = await office.book.one("anna", waiting.id)
        assert ended is not None
        assert ended.problem is not None
        assert (ended.problem.slug, ended.expires_ms) == ("cancelled", NOW + DAY_MS)


async def test_an_end_that_the_disk_does_not_take_is_tried_again(
    amqp_url: str, tmp_path: Path, foreign: Foreign
) -> None:
    async with office_at(tmp_path, amqp_url) as office:
        orders = foreign.listen(CONTROL, "job.cancel")
        job = await office.add(state="queued", name="x" * 200, given_up_for="y" * 100_000)
        office.book.move(job.model_copy(update={"given_up_for": "z" * 200_000}))
        await office.limit(1)
        cancels = Cancels(office.bus, office.book, DAY_MS, office.clock)
        cancels.ask(job)
        await foreign.get(orders)
        await foreign.get(orders)  # it is asked again: what is told twice does no harm
        await office.limit(100_000)
        await eventually(lambda: job.id not in office.book.under_way)
        await cancels.close()
