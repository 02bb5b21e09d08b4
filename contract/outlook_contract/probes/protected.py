"""How encrypted and signed mail reads."""

from __future__ import annotations

from base64 import encodebytes
from typing import Any

from outlook_contract.probes.probe import Need, probe
from outlook_contract.probes.probe_run import NotAsked, ProbeRun

_SUBJECTS = {"encrypted": "Probe encrypted", "signed": "Probe signed"}
"""Subjects of the mails that somebody sends by hand before the probe runs."""


@probe(
    24,
    "protected-mail",
    "How do encrypted and signed mails read, and what does a reply to one answer? Before it runs, send such mails to "
    "the mailbox, with the subjects 'Probe encrypted' and 'Probe signed'.",
    settles=("encrypted-reply", "protected-mail-note", "signed-mail"),
    needs=(Need.ADDRESS,),
)
def protected_mail(run: ProbeRun) -> None:
    """Reads and answers mails that somebody sent by hand; on an emulator, they are delivered here."""
    if run.sandbox is not None:
        _deliver(run)
    mails = {kind: run.mailbox.find(subject, top=250) for kind, subject in _SUBJECTS.items()}
    if not any(mails.values()):
        raise NotAsked("needs mails that somebody sends by hand; its question says which")
    for kind, mail in mails.items():
        if mail is None:
            continue
        names = ("Body", "BodyPreview", "IsHtml", "HasAttachment")
        shown = {name: mail.get(name) for name in names}
        attachments = [
            {name: item.get(name) for name in ("Name", "ContentType", "Size", "IsInline")}
            for item in mail["Attachments"]
        ]
        run.record(f"{kind}: in a list", {**shown, "Attachments": attachments}, "protected-mail-note", "signed-mail")
        single = run.mailbox.call("GetEmail", messageId=mail["Id"], includeAttachments=True)
        answer = run.response(single)
        if single.is_success:
            answer |= {name: single.json().get(name) for name in names}
        run.record(f"{kind}: by itself", answer, "protected-mail-note", "signed-mail")
        body = {"Body": "<p>Answer</p>", "Subject": run.name(f"answer to {kind}")}
        reply = run.mailbox.call("ReplyToV3", body, messageId=mail["Id"])
        run.respond(f"{kind}: reply", reply, "encrypted-reply")


def _deliver(run: ProbeRun) -> None:
    """Do for an emulator what somebody does by hand for a real mailbox."""
    connection = run.mailbox.url.rpartition("/")[2]
    parts: dict[str, Any] = {
        "encrypted": (
            'Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name="smime.p7m"\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\n" + encodebytes(b"0\x80" + bytes(range(64))).decode()
        ),
        "signed": (
            'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; micalg=sha-256; boundary="b"\r\n'
            "\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>Signed</p>\r\n--b\r\n"
            'Content-Type: application/pkcs7-signature; name="smime.p7s"\r\n'
            "Content-Transfer-Encoding: base64\r\n\r\n" + encodebytes(b"0\x80" + bytes(64)).decode() + "\r\n--b--\r\n"
        ),
    }
    assert run.sandbox is not None
    for kind, part in parts.items():
        head = f"From: somebody@example.com\r\nTo: {run.mailbox.address}\r\nSubject: {_SUBJECTS[kind]}\r\n"
        content = f"{head}MIME-Version: 1.0\r\n{part}".encode()
        run.sandbox.admin.request(
            *("POST", f"/connections/{connection}/deliver"),
            content=content,
            headers={"Content-Type": "message/rfc822"},
        )
