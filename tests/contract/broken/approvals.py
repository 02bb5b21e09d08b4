"""Emulators whose approval mails are broken."""

from tests.contract.broken.swap import Swap

SWAPS = (
    Swap(
        "an approval page without escapes",
        "wire.approvals_convert",
        "title = escape(answer.question.subject)",
        "title = answer.question.subject",
    ),
    Swap(
        "options that keep their blanks",
        "mailbox.approvals.approval_mail",
        "if (option := part.strip())",
        "if (option := part)",
    ),
    Swap(
        "a confirmation that is not asked for",
        "mailbox.approvals.questions",
        "if show_confirm and question.answer is None and not question.withdrawn:",
        "if False:",
    ),
    Swap(
        "an approval without its header text",
        "wire.approvals_convert",
        'header_text=message.get("HeaderText", ""),',
        'header_text="",',
    ),
    Swap(
        "options without escapes",
        "mailbox.approvals.approval_mail",
        '<a href="{target}">{escape(option)}</a>',
        '<a href="{target}">{option}</a>',
    ),
    Swap(
        "a heading without escapes",
        "mailbox.approvals.approval_mail",
        "_lines(escape(header))",
        "_lines(header)",
    ),
    Swap(
        "an approval without a card",
        "mailbox.approvals.approval_mail",
        '"" if request.links_only else _script(card_of(request, links))',
        '""',
    ),
    Swap(
        "a card that cannot be left out",
        "mailbox.approvals.approval_mail",
        '"" if request.links_only else _script',
        "_script",
    ),
    Swap(
        "a card that never hides the mail",
        "mailbox.approvals.approval_mail",
        '"hideOriginalBody": request.hides_html,',
        '"hideOriginalBody": False,',
    ),
    Swap(
        "an answer that may be changed",
        "mailbox.approvals.questions",
        "    if question.answer is not None:\n        # Only",
        "    if False:\n        # Only",
    ),
    Swap(
        "an answer in lower case",
        "wire.approvals_convert",
        '{"SelectedOption": option}',
        '{"selectedOption": option}',
    ),
    Swap(
        "a link that anybody can make",
        "mailbox.approvals.answer_links",
        "if key is None or not signature or not hmac",
        "if key is None or not hmac",
    ),
    Swap(
        "an approval without its attachments",
        "wire.approvals_convert",
        '"Attachments": message.get("Attachments", []),',
        '"Attachments": [],',
    ),
    Swap(
        "an approval without its importance",
        "wire.approvals_convert",
        '"Importance": message["Importance"],',
        '"Importance": "Normal",',
    ),
    Swap(
        "a question that stays after its withdrawal",
        "mailbox.approvals.questions",
        "        approval_store.withdraw_question(mailbox.db, question.id)\n",
        "        pass\n",
    ),
    Swap(
        "a question that anybody withdraws",
        "mailbox.approvals.questions",
        "if (question.mailbox_id, question.kind, question.withdrawn) != (mailbox.owner.id, kind, 0):",
        "if (question.kind, question.withdrawn) != (kind, 0):",
    ),
    Swap(
        "an approval that is withdrawn as a mail with options",
        "mailbox.approvals.questions",
        "if (question.mailbox_id, question.kind, question.withdrawn) != (mailbox.owner.id, kind, 0):",
        "if (question.mailbox_id, question.withdrawn) != (mailbox.owner.id, 0):",
    ),
    Swap(
        "a question that is withdrawn twice",
        "mailbox.approvals.questions",
        "if (question.mailbox_id, question.kind, question.withdrawn) != (mailbox.owner.id, kind, 0):",
        "if (question.mailbox_id, question.kind) != (mailbox.owner.id, kind):",
    ),
    Swap(
        "an approval of at most 99 options",
        "mailbox.approvals.questions",
        "    if limit and count > limit:\n",
        "    if limit and count >= limit:\n",
    ),
    Swap(
        "a link with the signature of another one",
        "mailbox.approvals.answer_links",
        "not hmac.compare_digest(_signature(key, text).encode(), signature.encode())",
        "len(signature) != 43",
    ),
    Swap(
        "a card whose buttons only read",
        "mailbox.approvals.approval_mail",
        '        "method": "POST",\n',
        '        "method": "GET",\n',
    ),
    Swap(
        "a card whose buttons lead nowhere",
        "mailbox.approvals.approval_mail",
        '        "url": url,\n',
        '        "url": "",\n',
    ),
    Swap(
        "a text that closes the card",
        "mailbox.approvals.approval_mail",
        'text = orjson.dumps(card).decode().replace("<", "\\\\u003c")',
        "text = orjson.dumps(card).decode()",
    ),
    Swap(
        "a form that answers by reading",
        "wire.approvals_convert",
        '<form method="post" action',
        '<form method="get" action',
    ),
    Swap(
        "an answer that is text",
        "wire.approvals_convert",
        'return Content(orjson.dumps({"SelectedOption": option}), {"Content-Type": "application/json"})',
        'return Content(orjson.dumps({"SelectedOption": option}), {"Content-Type": "text/plain"})',
    ),
    Swap(
        "a question without its host",
        "wire.approvals_convert",
        "    resource = ROOT + path\n",
        "    resource = path\n",
    ),
    Swap(
        "a question to the first recipient alone",
        "wire.approvals_convert",
        '"To": message["To"],',
        '"To": message["To"].split(";")[0],',
    ),
)
