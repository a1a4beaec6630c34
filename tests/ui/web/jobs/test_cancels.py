import asyncio
from pathlib import Path

from bus.control import Cancel, read_command
from bus.topology import CONTROL
from tests.bus.rabbit.foreign import Foreign, network
from tests.ui.web.jobs.office import NOW, office_at
from ui.web.jobs.cancels import Cancels


async def test_an_order_is_told_with_the_time_it_was_given(amqp_url: str, tmp_path: Path, foreign: Foreign) -> None:
    async with office_at(tmp_path, amqp_url) as office:
        orders = foreign.listen(CONTROL, "job.cancel")
        job, cancels = await office.add(), Cancels(office.bus, office.book, office.clock)
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
        cancels = Cancels(office.bus, office.book, office.clock)
        cancels.start()
        await asyncio.sleep(0)
        between.mend()
        assert b"0001" in (await foreign.get(orders)).body
        assert foreign.depth(orders) == 0
        await cancels.close()
