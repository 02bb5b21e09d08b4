"""Items for generated requests are as they must be when a request needs them."""

from __future__ import annotations

import pytest

from outlook_contract.generation.items import Items
from outlook_contract.routes import routes
from outlook_emulator.testing import Server
from tests.contract.generation.test_cases import CALLBACK, honest, mailbox_on

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("operation", ["RenewOnNewEmailSubscription", "ReceiveMailFromSubscriptionV2"])
def test_subscription_that_expires_in_a_run(operation: str) -> None:
    """A run that takes longer than a subscription lasts makes a new one; until then it keeps the one that it has."""
    with Server.in_process() as server:
        sandbox = server.sandbox("generated")
        items = Items(mailbox_on(sandbox, honest), CALLBACK, None, sandbox, sandbox.clock.now)
        first = items.values(routes()[operation])
        sandbox.clock.advance("20m")
        second = items.values(routes()[operation])
        sandbox.clock.advance("50m")
        third = items.values(routes()[operation])

    assert first == second
    assert first != third
