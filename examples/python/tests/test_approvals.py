import asyncio
from threading import Thread

import pytest
from approvals import answer_server, ask


@pytest.mark.parametrize("option", ["Pay", "Refuse"])
def test_the_answer_is_received(outlook, outlook_answer, outlook_callbacks, option):
    decisions = []
    with answer_server(0, lambda number, option: decisions.append((number, option))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/answers"

        async def run():
            async with outlook.client() as client:
                await ask(client, "boss@example.net", 17, url)

        asyncio.run(run())
        question = outlook_answer(option, subject="invoice 17")
        outlook_callbacks.wait(reference=question["id"])
        server.shutdown()
        thread.join()

    assert decisions == [(17, option)]
