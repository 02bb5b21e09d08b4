"""Rows as they leave the store: field order is column order, so a row becomes a record without a lookup."""

from datetime import datetime
from typing import NamedTuple

from outlook_emulator.clock import microseconds

FIRST_EVENT, AFTER_EVENTS = microseconds(datetime(1601, 1, 1)), microseconds(datetime(4500, 1, 1))
"""Between these instants, the last one excluded, events start and end, as in Exchange."""


class Owner(NamedTuple):
    """A mailbox, its owner, and its Inbox, Sent Items and Deleted Items."""

    id: int
    address: str
    display_name: str
    inbox_id: int
    sent_id: int
    deleted_id: int


class Folder(NamedTuple):
    """A mail folder; `parent_id` is None at the root."""

    id: int
    parent_id: int | None
    name: str
    well_known: str | None


class Counts(NamedTuple):
    """How many mails a folder or a mailbox has, and how many of them are unread."""

    mails: int
    unread: int


class Message(NamedTuple):
    """A copy of a mail in a folder, with what the mail says; flags are 0 or 1, addresses joined by `;`.

    `body` and `is_html` are as sent; `stored_body` is the HTML in which the mail service keeps the body: empty for
    a fragment or a text in the usual document, None where it does not differ.
    """

    id: int
    mailbox_id: int
    folder_id: int
    content_id: int
    received: int
    is_read: int
    is_flagged: int
    # From the copy, not from the shared content: only the sender's copy shows blind recipients.
    recipients_bcc: str | None
    message_id: str
    conversation_id: int
    sender: str | None
    recipients_to: str | None
    recipients_cc: str | None
    reply_to: str | None
    subject: str
    is_html: int
    importance: int
    has_attachments: int
    has_files: int
    is_encrypted: int
    preview: str
    body: str
    stored_body: str | None

    @property
    def shown_as_html(self) -> bool:
        """Whether the body that the connector shows is HTML; a stored one always is."""
        return self.is_html == 1 or self.stored_body is not None


class MessageHead(NamedTuple):
    """Who sent a copy of a mail to whom, and where it is, without what it says. Addresses are joined by `;`."""

    id: int
    mailbox_id: int
    folder_id: int
    content_id: int
    received: int
    sender: str | None
    recipients_to: str | None
    recipients_cc: str | None
    recipients_bcc: str | None
    subject: str


class MessageKey(NamedTuple):
    """The position of a message in its folder: a list begins with the newest, and the key breaks ties."""

    received: int
    id: int


class ItemFolder(NamedTuple):
    """A calendar or a contact folder."""

    id: int
    name: str
    is_default: int


class Event(NamedTuple):
    """A single event, the master of a series, or an exception, which replaces an occurrence of its series.

    Its fields are the columns of the table. A computed occurrence of a series has this form too, but no row. Instants
    are microseconds since 1970 (UTC), flags are 0 or 1, `reminder` is in minutes. `master_id` and `original_start` name
    the occurrence that an exception replaces. Zones are Windows ids, or IANA names where Windows has none.

    `attendees` (`[address, name, type, response, responded]`), `categories`, `place` and `rule` are JSON, and so are
    `excluded` and `added`, which list starts. `required`, `optional` and `resources` are the attendees' addresses by
    type, joined by `;`. `span_start` to `span_end` contains all occurrences of a series. `reach` says how a window
    finds the event: 0 short, 1 long, 2 series; exceptions are short or long. `external_id` is the id that the event had
    in another service.

    `body` and `is_html` are as sent; `stored_body` is the HTML in which the mail service keeps the body: empty for
    a fragment or a text in the usual document, None where it does not differ. `shown_as_html` says whether the body
    that the connector shows is HTML.
    """

    id: int
    mailbox_id: int
    calendar_id: int
    type: int
    master_id: int | None
    original_start: int | None
    uid: str
    external_id: str | None
    subject: str
    body: str
    is_html: int
    stored_body: str | None
    shown_as_html: int
    preview: str
    start_at: int
    end_at: int
    start_zone: str
    end_zone: str
    is_all_day: int
    location: str
    place: str | None
    importance: int
    show_as: int
    reminder: int | None
    response_requested: int
    categories: str
    organizer: str
    organizer_name: str
    is_organizer: int
    is_cancelled: int
    response: int
    responded: int | None
    attendees: str
    required: str
    optional: str
    resources: str
    recurrence: int
    recurrence_end: int | None
    occurrences: int | None
    rule: str | None
    excluded: str
    added: str
    span_start: int
    span_end: int
    reach: int
    created: int
    modified: int
    # Counts the writes. Change keys and the sequence numbers of invitations derive from it.
    version: int


class Contact(NamedTuple):
    """A contact. Its fields are the columns of the table.

    Texts that are not set are null. Lists are JSON; `email_addresses` is a list of `[address, name]`.
    """

    id: int
    mailbox_id: int
    folder_id: int
    birthday: int | None
    file_as: str
    display_name: str
    given_name: str | None
    initials: str | None
    middle_name: str | None
    nick_name: str | None
    surname: str | None
    title: str | None
    generation: str | None
    email_addresses: str
    im_addresses: str
    job_title: str | None
    company_name: str | None
    department: str | None
    office_location: str | None
    profession: str | None
    business_home_page: str | None
    assistant_name: str | None
    manager: str | None
    home_phones: str
    business_phones: str
    mobile_phone1: str | None
    home_street: str | None
    home_city: str | None
    home_state: str | None
    home_country_or_region: str | None
    home_postal_code: str | None
    business_street: str | None
    business_city: str | None
    business_state: str | None
    business_country_or_region: str | None
    business_postal_code: str | None
    other_street: str | None
    other_city: str | None
    other_state: str | None
    other_country_or_region: str | None
    other_postal_code: str | None
    yomi_company_name: str | None
    yomi_given_name: str | None
    yomi_surname: str | None
    categories: str
    created: int
    modified: int
    version: int


class ListEntry(NamedTuple):
    """One entry of a list that an event or a contact holds; `member` is the column that holds the list.

    An entry of a list of texts has only a `value`. An address is in `value` with its `name`; an attendee has `type` and
    `response` too.
    """

    member: str
    value: str
    name: str | None = None
    type: int | None = None
    response: int | None = None


class AttachmentInfo(NamedTuple):
    """An attachment without its content; `size` is in bytes, `cid` its Content-ID.

    `skipped` marks the kinds that the connector does not show.
    """

    id: int
    content_id: int
    name: str
    content_type: str
    size: int
    is_inline: int
    skipped: int
    cid: str | None
    modified: int


class StoredMail(NamedTuple):
    """What is needed to write a mail out again as MIME."""

    id: int
    message_id: str
    sent: int
    subject: str
    is_html: int
    importance: int
    is_encrypted: int
    body: str
    headers: str
    raw: bytes | None


class ContentFlags(NamedTuple):
    """The properties of a mail's content that each message repeats, so that an index can filter by them."""

    importance: int
    has_attachments: int


class OutboxSource(NamedTuple):
    """The content of an outbox mail, and the mailbox that sent it."""

    content_id: int
    mailbox_id: int


class OutboxMail(NamedTuple):
    """An entry of the outbox; `recipients` are joined by `;`."""

    id: int
    content_id: int
    recipients: str
    at: int
    sender: str | None
    subject: str
    message_id: str


class Question(NamedTuple):
    """A mail that waits for an answer, column for column; `options` is a JSON list, `answer` None while it waits."""

    id: int
    mailbox_id: int
    token: str
    kind: str
    recipients: str
    subject: str
    options: str
    callback_url: str
    created: int
    answer: str | None
    answered: int | None
    withdrawn: int


class Change(NamedTuple):
    """An entry of the change feed: `kind` is message, event or contact, `action` created, moved, updated or deleted."""

    seq: int
    mailbox_id: int
    kind: str
    action: str
    item_id: int
    folder_id: int
    at: int
    before: str | None


class Callback(NamedTuple):
    """A request that the sandbox sends to a URL; `headers` is JSON, `state` is pending, done, failed or cancelled."""

    id: int
    kind: str
    url: str
    reference: str
    headers: str
    body: bytes
    state: str
    attempts: int
    due: int
    created: int
    attempted: int | None
    last_status: int | None
    last_error: str | None


class Subscription(NamedTuple):
    """A subscription to pokes; `watched` is mail, flag, mention or event, `folder_id` a folder or calendar, or None."""

    id: str
    mailbox_id: int
    watched: str
    folder_id: int | None
    url: str
    options: str
    expires: int
    seen: int


class PushTrigger(NamedTuple):
    """A trigger whose items are pushed; `parameters` is a JSON object of texts."""

    connection_id: str
    name: str
    mailbox_id: int
    operation: str
    url: str
    parameters: str
    split_on: int
    cursor: str
    created: int


class Facets(NamedTuple):
    """The indexed properties that a list of messages can be filtered by.

    A flag of False does not filter. `importance` is `low`, `normal`, `high`, or empty for any.
    """

    unread: bool = False
    flagged: bool = False
    attachment: bool = False
    importance: str = ""


def facet_key(unread: bool, flagged: bool, attachment: bool, importance: str) -> str:
    """The variant of `LIST_MESSAGES` for these facets."""
    names = ("unread" * unread, "flagged" * flagged, "attachment" * attachment, importance)
    return "+".join(name for name in names if name)
