"""The peer: a minimal relay on aio-pika, confirm before ack, as many in flight as our router looks ahead."""

import asyncio
import sys

import aio_pika

IN_FLIGHT = 32


async def relay(url: str) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.set_qos(prefetch_count=IN_FLIGHT)
        vms = await channel.get_exchange("vms")
        queue = await channel.get_queue("peer.in")

        async def on_message(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            copy = aio_pika.Message(
                message.body,
                headers=message.headers,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                message_id=message.message_id,
                reply_to=message.reply_to,
            )
            await vms.publish(copy, "vm.peer", mandatory=True)
            await message.ack()

        await queue.consume(on_message)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(relay(sys.argv[1]))
