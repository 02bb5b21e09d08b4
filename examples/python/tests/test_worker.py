import asyncio

from worker import handle_orders, work


def handle(outlook, handler):
    async def run():
        async with outlook.client() as client:
            return await handle_orders(client, handler)

    return asyncio.run(run())


def test_each_order_is_handled_once(outlook):
    outlook.deliver(subject="Order 1")
    outlook.deliver(subject="Lunch?")
    outlook.deliver(subject="Order 2")
    subjects = []

    async def note(mail):
        subjects.append(mail["Subject"])

    assert [handle(outlook, note), handle(outlook, note)] == [2, 0]
    assert subjects == ["Order 1", "Order 2"]


def test_an_order_that_fails_is_handled_next_time(outlook):
    outlook.deliver(subject="Order 1")

    async def fail(mail):
        raise ValueError("no such article")

    async def succeed(mail):
        pass

    assert [handle(outlook, fail), handle(outlook, succeed)] == [0, 1]


def test_the_worker_survives_an_error(outlook, outlook_faults):
    outlook_faults.add("bad-gateway", operation="GetEmailsV2", nth=1)
    outlook.deliver(subject="Order 1")

    async def run():
        done = asyncio.Event()

        async def handler(mail):
            done.set()

        async with outlook.client(max_retry_attempts=1) as client:
            worker = asyncio.create_task(work(client, handler, interval=0.01))
            await asyncio.wait_for(done.wait(), 5)
            worker.cancel()

    asyncio.run(run())
