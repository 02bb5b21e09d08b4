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
    own = tuple(f"{_FAULTS}{one.replace('-', '_')}" for one in names)
    return KnownIssue(section, what, settings, names, (*own, *tests))


_GENERAL, _ACTIONS, _TRIGGERS = "general", "actions", "triggers"
_LIMIT, _THROTTLING, _GATEWAY = "limits", "throttling", "gateway"

KNOWN_ISSUES = (
    _fault(_GENERAL, "504 after 60 seconds, nothing done", "timeout-504-before"),
    _fault(_GENERAL, "504 after 60 seconds, done all the same", "timeout-504-after"),
    _fault(
        _GENERAL,
        "EML, MSG and ICS attachments are skipped; others by the fault",
        "attachment-skipped",
        tests=(f"{_MAILBOX}mail/test_reading.py::test_skipped_attachments_are_kept_but_not_shown",),
    ),
    KnownIssue(
        _GENERAL,
        "Include Attachments governs the content of attachments only",
        (),
        (),
        (f"{_MAILBOX}mail/test_listing.py::test_lists_hold_attachments_content_only_when_asked",),
    ),
    _fault(
        _GENERAL,
        "inline images of 1 MB at most after base64",
        "inline-image-over-1mb",
        settings=("max_inline_image_bytes",),
        tests=(f"{_MAILBOX}mail/test_delivery.py::test_a_whole_megabyte_of_inline_image_is_the_most",),
    ),
    KnownIssue(
        _GENERAL,
        "folder names with a slash cannot be given as a path",
        (),
        (),
        (f"{_MAILBOX}mail/test_folders.py::test_a_slash_in_a_name_is_not_addressable_by_path",),
    ),
    _fault(_GENERAL, "object not found in the store: shared mailboxes, moved or deleted mail", "object-not-found"),
    _fault(
        _ACTIONS,
        "replies to encrypted mail fail",
        "encrypted-reply",
        tests=(f"{_MAILBOX}mail/test_replies.py::test_an_encrypted_mail_cannot_be_answered",),
    ),
    KnownIssue(
        _ACTIONS,
        "approval mail has a card and links, which differ",
        (),
        (),
        (f"{_MAILBOX}approvals/test_questions.py::test_link", f"{_MAILBOX}approvals/test_questions.py::test_card"),
    ),
    _fault(
        _ACTIONS,
        "events with an old EWS id cannot be updated or deleted",
        "ews-slash-id",
        settings=("event_ids",),
        tests=(f"{_MAILBOX}calendar/test_events.py::test_an_ews_setting_gives_new_events_old_ids",),
    ),
    _fault(
        _TRIGGERS,
        "triggers may fire up to an hour late",
        "trigger-delayed",
        tests=("tests/server/webhooks/test_trigger_delay.py::test_a_poke_comes_late",),
    ),
    KnownIssue(
        _TRIGGERS,
        "mail received before the last run is skipped, wherever it is moved",
        (),
        (),
        (f"{_MAILBOX}triggers/test_mail_triggers.py::test_a_mail_that_is_moved_in_is_skipped",),
    ),
    KnownIssue(
        _TRIGGERS,
        "the flag trigger fires for any change of a flagged mail",
        (),
        (),
        (f"{_MAILBOX}triggers/test_mail_triggers.py::test_flagging_arriving_flagged_and_changing",),
    ),
    KnownIssue(
        _LIMIT,
        "50 MB a mail",
        ("max_mail_bytes",),
        (),
        (f"{_MAILBOX}mail/test_delivery.py::test_a_mail_above_the_limit_is_refused_whole",),
    ),
    KnownIssue(
        _LIMIT,
        "100 options of a mail with options or an approval mail",
        ("max_options",),
        (),
        (f"{_MAILBOX}approvals/test_questions.py::test_hundred_options",),
    ),
    KnownIssue(
        _LIMIT,
        "300 MB transferred at a time",
        ("max_bytes_in_flight",),
        (),
        (f"{_LIMITS}test_bytes_in_flight",),
    ),
    KnownIssue(
        _LIMIT,
        "30 requests at a time",
        ("max_concurrent",),
        (),
        (f"{_LIMITS}test_concurrent_requests",),
    ),
    _fault(
        _THROTTLING,
        "300 calls of a connection in 60 seconds",
        "throttled",
        settings=("max_calls", "calls_period"),
        tests=(f"{_LIMITS}test_calls",),
    ),
    _fault(_GATEWAY, "no valid answer from behind the gateway (from public reports)", "bad-gateway"),
    _fault(_GATEWAY, "a connection whose consent has run out (from public reports)", "token-expired"),
    _fault(_GATEWAY, "a connection nobody has signed in to (from public reports)", "connection-unauthenticated"),
)
