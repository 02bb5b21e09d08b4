"""What subscriptions answer, and what their subscribers receive."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from outlook_contract.exchange import Exchange
from outlook_contract.mailbox import CALENDAR
from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import ProbeRun

_KINDS: Mapping[str, Mapping[str, Any]] = {
    "CreateOnNewEmailPokeSubscription": {},
    "CreateOnFlaggedEmailPokeSubscription": {},
    "CreateOnNewMentionMeEmailPokeSubscription": {},
    "CreateOnChangedEventPokeSubscription": {"table": CALENDAR},
}
_UNKNOWN = "00000000-0000-4000-8000-000000000000"
_LIFETIME = 3600
"""Seconds that a subscription lasts."""
_STANDING = frozenset({"host", "connection", "accept", "accept-encoding", "user-agent", "content-length"})


@probe(
    9,
    "subscriptions",
    "What do subscriptions answer to creation, renewal and deletion, and what does a poke look like?",
    settles=("renewal-without-body", "subscription-options"),
    needs=(Need.ADDRESS, Need.CALLBACK),
    has_heavy_parts=True,
)
def subscriptions(run: ProbeRun) -> None:
    """Subscribes in each way, renews, deletes twice, causes a poke, and waits until a subscription has expired."""
    url = f"{run.callback_url}/probe"
    for kind, place in _KINDS.items():
        exchange = run.mailbox.call(kind, {"NotificationUrl": url}, **place)
        run.record(f"{kind}: create", _created(run, exchange), "subscription-options")
        if "location" in exchange.headers:
            run.attempt(_renew, kind, str(exchange.headers["location"]), url)
    for about, body in (("without a URL", {}), ("with a URL that is none", {"NotificationUrl": "nowhere"})):
        exchange = run.mailbox.call("CreateOnNewEmailPokeSubscription", body)
        run.respond(f"a subscription {about}", exchange)
    if run.receiver is not None:
        run.attempt(_poke, url)
    if run.heavy:
        run.attempt(_expire, url)


def _created(run: ProbeRun, exchange: Exchange) -> dict[str, Any]:
    answer = run.response(exchange)
    if not exchange.is_success:
        return answer
    location = str(exchange.headers.get("location", ""))
    run.mailbox.remember_subscription(location)
    body = {name: value for name, value in exchange.json().items() if name != "notificationUrl"}
    options = parse_qs(urlsplit(location).query).get("options", [""])[0]
    path = urlsplit(location).path
    return {**answer, "body": body, "Location": path.replace(str(body.get("id")), "<id>"), "options": _decoded(options)}


def _decoded(options: str) -> Any:
    try:
        return json.loads(urlsafe_b64decode(options + "=" * (-len(options) % 4)))
    except ValueError:
        return options


def _renew(run: ProbeRun, kind: str, location: str, url: str) -> None:
    run.respond(f"{kind}: renew with a body", run.mailbox.follow(location, "PATCH", {"NotificationUrl": url}))
    run.respond(f"{kind}: renew without a body", run.mailbox.follow(location, "PATCH"), "renewal-without-body")
    empty = run.mailbox.follow(location, "PATCH", {})
    run.respond(f"{kind}: renew with an empty object", empty, "renewal-without-body")
    run.respond(f"{kind}: delete", run.mailbox.follow(location, "DELETE"))
    run.respond(f"{kind}: delete again", run.mailbox.follow(location, "DELETE"))
    gone = run.mailbox.follow(location, "PATCH", {"NotificationUrl": url})
    run.respond(f"{kind}: renew after it", gone)
    own = urlsplit(location).path.rpartition("/")[2]
    unknown = run.mailbox.follow(location.replace(own, _UNKNOWN), "DELETE")
    run.respond(f"{kind}: delete an unknown id", unknown)


def _poke(run: ProbeRun, url: str) -> None:
    """The callbacks that one mail causes, where this process can receive them."""
    assert run.receiver is not None
    exchange = run.mailbox.call("CreateOnNewEmailPokeSubscription", {"NotificationUrl": url})
    run.to_self("poke")
    callbacks = [
        {
            "method": callback.method,
            "path": callback.path,
            "headers": sorted(set(callback.headers) - _STANDING),
            "body": callback.body.decode("utf-8", "replace"),
        }
        for callback in run.receiver.wait()
    ]
    run.record("callbacks that one mail causes", callbacks)
    run.mailbox.follow(str(exchange.headers.get("location", "")), "DELETE")


def _expire(run: ProbeRun, url: str) -> None:
    exchange = run.mailbox.call("CreateOnNewEmailPokeSubscription", {"NotificationUrl": url})
    location = str(exchange.headers["location"])
    run.mailbox.remember_subscription(location)
    run.wait(_LIFETIME + 1)
    run.respond("renew after it has expired", run.mailbox.follow(location, "PATCH", {"NotificationUrl": url}))
    run.respond("delete after it has expired", run.mailbox.follow(location, "DELETE"))
