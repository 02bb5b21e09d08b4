"""The members of a contact as checks and probes write them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

WHOLE_SECONDS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")
"""A time in UTC without parts of a second."""
TEXTS: Mapping[str, Any] = {
    "Surname": "Lovelace",
    "MiddleName": "King",
    "NickName": "Countess",
    "Initials": "A.L.",
    "Title": "Lady",
    "Generation": "II",
    "JobTitle": "Programmer",
    "CompanyName": "Engines",
    "Department": "Analysis",
    "OfficeLocation": "London",
    "Profession": "Mathematician",
    "BusinessHomePage": "https://example.com/",
    "AssistantName": "Babbage",
    "Manager": "Byron",
    "MobilePhone1": "+44 1",
    "YomiGivenName": "eida",
    "YomiSurname": "rabureisu",
    "YomiCompanyName": "enjin",
}
LISTS: Mapping[str, Any] = {
    "EmailAddresses": [{"Name": "Ada", "Address": "ada@example.com"}],
    "ImAddresses": ["ada.im@example.com"],
    "HomePhones": ["+44 2"],
    "BusinessPhones": ["+44 3", "+44 4"],
    "Categories": ["Red"],
}
PLACE = {"Street": "1 Mill", "City": "Rome", "State": "RM", "CountryOrRegion": "Italy", "PostalCode": "00100"}
