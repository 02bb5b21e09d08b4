"""Enumerations: those of the connector, whose members are wire names and whose values are wire integers, and our own.

In an enumeration that is never sent as an integer the values are positions without a meaning.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

Importance = IntEnum("Importance", {"Low": 0, "Normal": 1, "High": 2})
ImportanceFilter = IntEnum("ImportanceFilter", {"Any": 0, "Low": 1, "Normal": 2, "High": 3})
ShowAs = IntEnum("ShowAs", {"Unknown": -1, "Free": 0, "Tentative": 1, "Busy": 2, "Oof": 3, "WorkingElsewhere": 4})
Recurrence = IntEnum("Recurrence", {"None": 0, "Daily": 1, "Weekly": 2, "Monthly": 3, "Yearly": 4})
NO_RECURRENCE = Recurrence(0)
"""`Recurrence.None`, which cannot be written as an attribute."""
ResponseType = IntEnum(
    "ResponseType",
    {
        "None": 0,
        "Organizer": 1,
        "TentativelyAccepted": 2,
        "Accepted": 3,
        "Declined": 4,
        "NotResponded": 5,
    },
)
NO_RESPONSE = ResponseType(0)
"""`ResponseType.None`, which cannot be written as an attribute."""
InviteResponse = IntEnum("InviteResponse", ["Accept", "Tentatively Accept", "Decline"])
ActionType = IntEnum("ActionType", ["added", "updated", "deleted"])
AttendeeType = IntEnum("AttendeeType", ["Required", "Optional", "Resource"])
BodyContentType = IntEnum("BodyContentType", ["Text", "HTML"])
EventType = IntEnum("EventType", ["SingleInstance", "Occurrence", "Exception", "SeriesMaster"])
PatternType = IntEnum(
    "PatternType",
    ["Daily", "Weekly", "AbsoluteMonthly", "RelativeMonthly", "AbsoluteYearly", "RelativeYearly"],
)
DayOfWeek = IntEnum("DayOfWeek", ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"])
WeekIndex = IntEnum("WeekIndex", ["First", "Second", "Third", "Fourth", "Last"])
RangeType = IntEnum("RangeType", ["EndDate", "NoEnd", "Numbered"])
ServerPagingOption = IntEnum("ServerPagingOption", ["top", "skiptoken"])


class Watched(StrEnum):
    """What a subscription watches; the values are stored."""

    MAIL = "mail"
    FLAG = "flag"
    MENTION = "mention"
    EVENT = "event"


class Product(StrEnum):
    """The Microsoft product that sends a request, by its full name."""

    POWER_APPS = "Microsoft Power Apps"
    POWER_AUTOMATE = "Microsoft Power Automate"
    LOGIC_APPS = "Azure Logic Apps"


class ItemKind(StrEnum):
    """What an entry of the change feed is about; the values are stored."""

    MESSAGE = "message"
    EVENT = "event"
    CONTACT = "contact"


class ChangeAction(StrEnum):
    """What happened to an item; the values are stored."""

    CREATED = "created"
    MOVED = "moved"
    UPDATED = "updated"
    DELETED = "deleted"


class QuestionKind(StrEnum):
    """The two mails that ask for an answer; the values are stored."""

    APPROVAL = "approval"
    OPTIONS = "options"


class CallbackKind(StrEnum):
    """Why a callback is made; the values are stored.

    A poke tells a subscriber to poll, a push carries what a trigger found, an answer what a recipient chose.
    """

    POKE = "poke"
    PUSH = "push"
    ANSWER = "answer"


class CallbackState(StrEnum):
    """Whether a callback is still to be delivered; the values are stored."""

    PENDING = "pending"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
