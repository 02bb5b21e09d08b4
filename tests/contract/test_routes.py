"""Which operation a request is for."""

from __future__ import annotations

import pytest

from outlook_contract.routes import find


@pytest.mark.parametrize(
    ("method", "path", "at_root", "operation", "values"),
    [
        ("GET", "/v2/Mail/OnNewEmail", False, "OnNewEmailV2", {}),
        ("GET", "/Mail/a%2Fb/Attachments/c", False, "GetAttachment", {"messageId": "a/b", "attachmentId": "c"}),
        (
            "GET",
            "/datasets(calendars)/tables(My%20Calendar)/onnewitems",
            False,
            "ODataStyleGetOnNewItems",
            {"dataset": "calendars", "table": "My Calendar"},
        ),
        ("POST", "/MailSubscriptionReceive", True, "ReceiveMailFromSubscription", {}),
        (
            "POST",
            "/c1/MailSubscriptionReceive",
            True,
            "ReceiveMailFromSubscriptionV2",
            {"subscribedConnectionId": "c1"},
        ),
    ],
)
def test_find(method: str, path: str, at_root: bool, operation: str, values: dict[str, str]) -> None:
    """Fixed words come before values, and a path below a connection is no path at the root."""
    match = find(method, path, at_root=at_root)
    assert match is not None
    route, seen = match
    assert (operation, values) == (route.id, seen)
    assert find(method, path, at_root=not at_root) is None
    assert find(method, f"{path}/more/than/that", at_root=at_root) is None
