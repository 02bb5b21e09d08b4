"""Each limit and known issue of the connector's documentation: how to bring it about, and the tests that show it.

`python -m tools.docs_tables` writes them into `docs/known-issues.md`. Tests check that the settings, faults and tests
named here exist.
"""

from __future__ import annotations

from typing import NamedTuple

LEARN = "https://learn.microsoft.com/connectors/outlook/"
_FAULTS = "tests/server/faults/test_names.py::test_"
_LIMITS = "tests/server/limits/test_middleware.py::"
_MAILBOX = "tests/mailbox/"


class KnownIssue(NamedTuple):
    """One row: `settings` by attribute, `faults` by name, `tests` by node id without parameters.

    With neither a setting nor a fault, the emulator always behaves like this.
    """

    section: str
    what: str
    settings: tuple[str, ...]
    faults: tuple[str, ...]
    tests: tuple[str, ...]


def _fault(
    section: str, what: str, *names: str, settings: tuple[str, ...] = (), tests: tuple[str, ...] = ()
) -> KnownIssue:
    own = tuple(f"{_FAULTS}{name.replace('-', '_')}" for name in names)
    return KnownIssue(section, what, settings, names, (*own, *tests))


_GENERAL, _ACTIONS, _TRIGGERS = "general", "actions", "triggers"
_LIMIT, _THROTTLING, _GATEWAY = "limits", "throttling", "gateway"
_MAIL_SERVICE = "mail service"

KNOWN_ISSUES = (
    _fault(_GENERAL, "504 after 60 seconds; the operation did not run", "timeout-504-before"),
    _fault(_GENERAL, "504 after 60 seconds; the operation ran", "timeout-504-after"),
    _fault(
        _GENERAL,
        "EML, MSG and ICS attachments are not shown; the fault hides other files too",
        "attachment-skipped",
        tests=(f"{_MAILBOX}mail/test_reading.py::test_skipped_attachments_are_kept_but_not_shown",),
    ),
    KnownIssue(
        _GENERAL,
        "Include Attachments affects the content of attachments, not their names and sizes",
        (),
        (),
        (f"{_MAILBOX}mail/test_listing.py::test_lists_hold_the_content_of_attachments_only_on_request",),
    ),
    _fault(
        _GENERAL,
        "an inline image of more than 1 MB after base64 encoding is rejected",
        "inline-image-over-1mb",
        settings=("max_inline_image_bytes",),
        tests=(f"{_MAILBOX}mail/test_delivery.py::test_a_whole_megabyte_of_inline_image_is_the_most",),
    ),
    KnownIssue(
        _GENERAL,
        "a folder with a slash in its name cannot be addressed by path",
        (),
        (),
        (f"{_MAILBOX}mail/test_folders.py::test_a_slash_in_a_name_is_not_addressable_by_path",),
    ),
    _fault(
        _GENERAL,
        "an object is not found in the store: in a shared mailbox, or moved or deleted mail",
        "object-not-found",
    ),
    _fault(
        _ACTIONS,
        "a reply to an encrypted mail fails",
        "encrypted-reply",
        tests=(f"{_MAILBOX}mail/test_replies.py::test_an_encrypted_mail_cannot_be_answered",),
    ),
    KnownIssue(
        _ACTIONS,
        "an approval mail has a card and links, which work differently",
        (),
        (),
        (f"{_MAILBOX}approvals/test_questions.py::test_link", f"{_MAILBOX}approvals/test_questions.py::test_card"),
    ),
    _fault(
        _ACTIONS,
        "an event with an old EWS id cannot be updated or deleted",
        "ews-slash-id",
        settings=("event_ids",),
        tests=(f"{_MAILBOX}calendar/test_events.py::test_an_ews_setting_gives_new_events_old_ids",),
    ),
    _fault(
        _ACTIONS,
        "the page for an answer shows an error although the answer counts (from a public report)",
        "approval-page-error",
    ),
    _fault(
        _TRIGGERS,
        "a trigger fires twice for a mail with attachments, first without them (from the sibling's page)",
        "delivered-twice",
        tests=("tests/server/webhooks/test_trigger_faults.py::test_what_is_pushed_comes_twice",),
    ),
    _fault(
        _GENERAL,
        "protected mail has a note in place of its text (from the sibling's page)",
        "protected-mail",
    ),
    _fault(
        _TRIGGERS,
        "a trigger may fire up to an hour late",
        "trigger-delayed",
        tests=("tests/server/webhooks/test_trigger_faults.py::test_a_poke_comes_late",),
    ),
    KnownIssue(
        _TRIGGERS,
        "a mail that was received before the last poll does not fire, even if it is moved into the folder",
        (),
        (),
        (f"{_MAILBOX}triggers/test_mail_triggers.py::test_a_mail_that_is_moved_in_is_skipped",),
    ),
    KnownIssue(
        _TRIGGERS,
        "the flag trigger fires for any change to a flagged mail",
        (),
        (),
        (f"{_MAILBOX}triggers/test_mail_triggers.py::test_flagging_arriving_flagged_and_changing",),
    ),
    KnownIssue(
        _LIMIT,
        "50 MB per mail",
        ("max_mail_bytes",),
        (),
        (f"{_MAILBOX}mail/test_delivery.py::test_a_mail_above_the_limit_is_refused_whole",),
    ),
    KnownIssue(
        _LIMIT,
        "100 options per approval mail or mail with options",
        ("max_options",),
        (),
        (f"{_MAILBOX}approvals/test_questions.py::test_hundred_options",),
    ),
    KnownIssue(
        _LIMIT,
        "300 MB in transfer per connection",
        ("max_bytes_in_flight",),
        (),
        (f"{_LIMITS}test_bytes_in_flight",),
    ),
    KnownIssue(
        _LIMIT,
        "30 concurrent requests per connection",
        ("max_concurrent",),
        (),
        (f"{_LIMITS}test_concurrent_requests",),
    ),
    _fault(
        _THROTTLING,
        "300 calls per connection in 60 seconds",
        "throttled",
        settings=("max_calls", "calls_period"),
        tests=(f"{_LIMITS}test_calls",),
    ),
    _fault(
        _MAIL_SERVICE,
        "mail to an address that nobody can have is sent all the same, and a report comes back (recorded)",
        "undeliverable",
        tests=(f"{_MAILBOX}mail/test_nondelivery.py::test_mail_to_an_address_nobody_can_have_answers_200",),
    ),
    _fault(_GATEWAY, "the gateway gets no valid response (from public reports)", "bad-gateway"),
    _fault(_GATEWAY, "a policy of the gateway fails: 500 in its own form (from public reports)", "gateway-policy"),
    _fault(_GATEWAY, "the mail service cannot search: 503 (from notes on its back end)", "search-unavailable"),
    _fault(_GATEWAY, "the consent of a connection has expired (from public reports)", "token-expired"),
    _fault(_GATEWAY, "nobody has signed in to a connection (from public reports)", "connection-unauthenticated"),
)
