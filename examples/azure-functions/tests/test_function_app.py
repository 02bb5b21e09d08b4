import function_app


def test_the_sender_is_thanked(outlook, trigger, outlook_callbacks, outlook_outbox):
    outlook.deliver(sender="ann@example.net", subject="Question")

    outlook_callbacks.wait()

    (mail,) = outlook_outbox.mails()
    assert (mail["recipients"], mail["subject"]) == (["ann@example.net"], "Received: Question")


def test_each_mail_is_a_call_of_its_own(outlook, trigger, outlook_callbacks, outlook_outbox):
    outlook.deliver(sender="ann@example.net", subject="One")
    outlook.deliver(sender="bob@example.net", subject="Two")

    outlook_callbacks.wait(count=2)

    assert {mail["subject"] for mail in outlook_outbox.mails()} == {"Received: One", "Received: Two"}


def test_a_call_that_fails_is_repeated(outlook, trigger, outlook_callbacks, outlook_clock, outlook_outbox, monkeypatch):
    calls = []
    acknowledge = function_app.acknowledge

    async def fail_once(client, mail):
        calls.append(mail["Subject"])
        if len(calls) == 1:
            raise ConnectionError
        await acknowledge(client, mail)

    monkeypatch.setattr(function_app, "acknowledge", fail_once)

    outlook.deliver(sender="ann@example.net", subject="Question")
    outlook_callbacks.wait(until="attempted")
    outlook_clock.advance("1h")
    outlook_callbacks.wait()

    assert calls == ["Question", "Question"]
    assert len(outlook_outbox.mails()) == 1
