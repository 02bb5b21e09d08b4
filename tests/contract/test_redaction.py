"""The placeholders of a recording: consistent, in the form of what they stand for, wherever a value is hidden."""

from __future__ import annotations

import json
from base64 import b64encode
from urllib.parse import quote

import httpx
import pytest

from outlook_contract.exchange import Exchange
from outlook_contract.redaction import Redactor
from outlook_contract.words import Words

ID = "AQMkADAwATM0MDAAMS0xNDlkLWUwNGItMDACLTAwCgBGAAAD6yPQE27co7Qq2Y3z6tPGoAcA2ODdcWMQNCAxOPvgR8jd5AAA="
ADDRESS = "Ada.Lovelace+work@outlook.example"
GUID = "f05d33c9-0bef-4ba2-bc6c-90a5747fd93a"
UID = "040000008200E00074C5B7101A82E00800000000B0C1D2E3F4A5DC01000000000000000010000000" + "0123456789ABCDEF" * 2


def twice(text: str) -> str:
    return quote(quote(text, safe=""), safe="")


def exchange(**members: object) -> Exchange:
    values = {
        "operation": None,
        "method": "GET",
        "url": "https://gateway.example.org/apim/outlook/my-own-connection/Mail",
        "request_headers": httpx.Headers(),
        "request_body": b"",
        "status": 200,
        "headers": httpx.Headers(),
        "body": b"",
        "started": 0.0,
        "seconds": 0.0,
    }
    return Exchange(**(values | members))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [ID, ADDRESS, GUID, UID])
@pytest.mark.parametrize("form", [str, lambda value: quote(value, safe=""), twice], ids=["plain", "escaped", "twice"])
def test_a_value_has_the_same_placeholder_in_every_form(value: str, form: object) -> None:
    """A value that is escaped for a URL becomes its placeholder, escaped as often."""
    redactor = Redactor()
    placeholder = redactor.text(value)

    assert placeholder != value
    assert f"x/{form(placeholder)}?y" == redactor.text(f"x/{form(value)}?y")  # type: ignore[operator]


def test_an_id_keeps_its_form() -> None:
    """The placeholder of an id has its start, its end and its length; another id has another one."""
    redactor = Redactor()
    placeholder, other = redactor.text(ID), redactor.text(ID.replace("D6y", "D6z"))

    assert (len(ID), ID[:10], "=") == (len(placeholder), placeholder[:10], placeholder[-1])
    assert placeholder != other


def test_an_own_address_is_known_as_such() -> None:
    """The address of a mailbox is numbered as its connection is; case does not matter."""
    redactor = Redactor(["bob@outlook.example", ADDRESS])

    assert "To: mailbox2@example.com; person1@example.net" == redactor.text(f"To: {ADDRESS.upper()}; eve@example.org")


@pytest.mark.parametrize(
    ("address", "placeholder"),
    [
        ("Ada+news@outlook.example", "mailbox1+tag1@example.com"),
        ("grace+x@example.org", "person1@example.net"),
        ("nobody@contract.invalid", "person1@contract.invalid"),
        ("MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@outlook.example", None),
    ],
)
@pytest.mark.parametrize("words", [None, Words()], ids=["texts", "words"])
def test_addresses_that_act_in_a_way_of_their_own(address: str, placeholder: str | None, words: Words | None) -> None:
    """Mail to a tagged own address arrives, mail to `.invalid` comes back, and Exchange's reports have their sender."""
    redactor = Redactor(["ada@outlook.example"], words=words)
    expected = placeholder or "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com"
    message = redactor.body(json.dumps({"To": address, "Subject": address}).encode())

    assert {"To": expected, "Subject": expected} == json.loads(message)
    assert message == redactor.body(message)


def test_an_escaped_quote_is_no_part_of_an_address() -> None:
    """The digits of an escaped character before an address do not belong to it."""
    redactor = Redactor([ADDRESS])

    assert "subject%3D%22mailbox1%40example.com%22" == redactor.text(f"subject%3D%22{quote(ADDRESS, safe='')}%22")


@pytest.mark.parametrize(
    "text",
    [
        "https://a.example/x?sig=q1w2e3r4t5&y=1",
        "https://a.example/x?u=https%3A%2F%2Fb.example%2F%3Fsig%3Dq1w2e3r4t5%26y%3D1",
        '<a href="https://a.example/x?y=1&amp;sig=q1w2e3r4t5">',
    ],
)
def test_a_signature_is_replaced(text: str) -> None:
    """A signature in a link is gone, and the rest of the link is there."""
    redacted = Redactor().text(text)

    assert "q1w2e3r4t5" not in redacted
    assert "secret-1" in redacted
    assert redacted.endswith(text[-1:])


def test_a_password_before_a_host_is_removed() -> None:
    """The user and the password of a link are gone."""
    assert "see https://a.example/x" == Redactor().text("see https://ada:q1w2e3r4t5@a.example/x")


def test_a_cursor_is_read() -> None:
    """The state of a trigger is base64 of JSON; what it holds is replaced, and it is base64 again."""
    state = b64encode(json.dumps({"Folder": ID, "Of": ADDRESS}).encode()).decode()
    redactor = Redactor([ADDRESS])
    expected = b64encode(json.dumps({"Folder": redactor.text(ID), "Of": "mailbox1@example.com"}).encode()).decode()

    assert f"triggerstate={quote(expected, safe='')}" == redactor.text(f"triggerstate={quote(state, safe='')}")


def test_a_credential_is_replaced_wherever_it_comes_up() -> None:
    """What is a credential in a header is replaced in a body too."""
    secret = "q1w2e3r4t5y6"
    redactor = Redactor()
    clean = redactor.exchange(
        exchange(
            request_headers=httpx.Headers({"Authorization": f"Key {secret}", "X-Api-Key": "z9y8x7w6v5"}),
            headers=httpx.Headers({"Set-Cookie": "ARRAffinity=a1b2c3d4e5"}),
            body=json.dumps({"message": f"the key {secret} is good"}).encode(),
        )
    )

    assert "Key secret-1" == clean.request_headers["authorization"]
    assert {"message": "the key secret-1 is good"} == clean.json()
    assert "z9y8" not in str(clean.request_headers.raw)
    assert "a1b2" not in str(clean.headers.raw)


def test_host_and_connection_are_replaced() -> None:
    """Host and connection id are gone from the URL, and from links in answers."""
    location = "https://gateway.example.org/apim/outlook/my-own-connection/Mail?x=1"
    clean = Redactor().exchange(exchange(headers=httpx.Headers({"Location": location})))

    assert "https://connector.example/apim/outlook/connection1/Mail" == clean.url
    assert "https://connector.example/apim/outlook/connection1/Mail?x=1" == clean.headers["location"]


def test_the_name_beside_an_address_is_replaced() -> None:
    """A person's name is often a part of the address."""
    body = json.dumps({"EmailAddress": {"Name": "Ada Lovelace", "Address": ADDRESS}}).encode()

    assert b"Lovelace" not in Redactor().body(body)


@pytest.mark.parametrize("value", [ID, ADDRESS, GUID, UID, "0123456789abcdef" * 2])
def test_a_value_behind_an_escaped_character_is_replaced(value: str) -> None:
    """The form of a picked folder, `Id::` and an id, is also known where its colons are escaped."""
    redactor = Redactor()
    placeholder = redactor.text(value)

    for escape in (lambda text: quote(text, safe=""), twice):
        assert f"?folderPath={escape(f'Id::{placeholder}')}" == redactor.text(f"?folderPath={escape(f'Id::{value}')}")


def test_ids_in_a_path_are_apart() -> None:
    """The alphabet of ids has a slash, but in a path a slash ends an id."""
    id = ID.rstrip("=")
    redactor = Redactor()
    placeholder = redactor.text(id)

    link = "https://a.example/Mail/{}/Attachments/{}?x"
    assert link.format(placeholder, placeholder) == redactor.text(link.format(id, id))


def test_bytes_and_ordinary_text_stay() -> None:
    """A picture, and a text without anything to hide, are as before to the byte."""
    redactor = Redactor()
    for body in (b"\x89PNG\xff\xfe", b'{"a":  "b", "n": 1.0}', b"<p>Hello, nobody at all: internationalization</p>"):
        assert body == redactor.body(body)


@pytest.mark.slow
def test_a_large_attachment_takes_no_time() -> None:
    """A megabyte of base64 is read in one pass."""
    body = json.dumps({"ContentBytes": b64encode(bytes(range(256)) * 4096).decode()}).encode()

    assert body == Redactor().body(body)
