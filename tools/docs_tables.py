"""Writes the tables in the documents that the code decides: settings, commands, faults, known issues and more.

`python -m tools.docs_tables` (or `make docs-tables`) brings every page up to date. A page marks the place of a table
with two comments, `<!-- table: NAME -->` and `<!-- /table -->`. The table of operations is written only when the site
is built, at `<!-- built table: operations -->`, so that a new operation needs no change in the documents.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from outlook_contract.deviations import Kind
from outlook_contract.deviations import load as deviations_of_contract
from outlook_contract.known_issues import KNOWN_ISSUES, KnownIssue
from outlook_contract.probes import answers
from outlook_contract.probes.catalog import PROBES
from outlook_contract.probes.command import conditions
from outlook_emulator import pytest_plugin
from outlook_emulator.cli import parser
from outlook_emulator.content_limits import BODY_LIMITS, EVENT_LIMITS, MAIL_LIMITS
from outlook_emulator.operations import OPERATIONS
from outlook_emulator.options import camel, options_of, sentence
from outlook_emulator.server.admin.routes import ADMIN
from outlook_emulator.server.faults.names import NAMED
from outlook_emulator.settings import limits as changeable_limits
from outlook_emulator.settings import options
from outlook_emulator.traffic.fault_plan import FaultEffect, FaultMatch, FaultWhen
from outlook_emulator.traffic.journal_filter import JournalFilter
from tests.contract.broken.swaps import FAMILIES, caught

DOCS = Path(__file__).parents[1] / "docs"
_PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)
_BUILT_PLACE = re.compile(r"<!-- built table: ([\w-]+) -->")
_FROM_SETTINGS = ("serve", "exec")
"""Commands whose options are the settings, which have a page of their own."""
_SHARED_OPTIONS = frozenset({"help", "version", "url", "token", "ca_file", "json", "sandbox"})


def updated(text: str) -> str:
    """A page with every table in it as the code has it now. Raises KeyError for the name of a table that is unknown."""
    return _PLACE.sub(lambda place: f"{place[1]}\n{TABLES[place[2]]()}\n\n{place[3]}", text)


def built(text: str) -> str:
    """A page for the site, with the tables that only the site has. Raises KeyError for the name of an unknown table."""
    return _BUILT_PLACE.sub(lambda place: BUILT_TABLES[place[1]](), text)


def settings() -> str:
    """Every setting of a server."""
    return _table(
        ("Flag", "Variable", "Default", "Meaning"),
        (
            (
                f"`{option.flag}`",
                f"`{option.variable}`",
                _shown(option.default),
                _with_choices(option.help, option.choices),
            )
            for option in options()
        ),
    )


def faults() -> str:
    """Every fault with a name."""
    return _table(
        ("Fault", "What happens", "Options"),
        (
            (f"`{fault.name}`", fault.summary, ", ".join(_code(camel(name)) for name in sorted(fault.takes)))
            for fault in NAMED.values()
        ),
    )


def declared_options(declaration: type, command: str) -> str:
    """Declared options, with their names in JSON, in Python and on the command line."""
    return _table(
        ("JSON", "Python", _code(command), "Meaning"),
        (
            (
                _code(option.member),
                _code(option.name),
                _code(option.flag),
                sentence(option),
            )
            for option in options_of(declaration)
        ),
    )


def journal_filters() -> str:
    """Every filter of the journal, with its names in JSON, in Python and on the command line."""
    return _table(
        ("JSON", "Python", "`journal`", "Meaning"),
        (
            (
                _code(option.member),
                _code(option.name),
                _code(option.flag),
                sentence(option),
            )
            for option in options_of(JournalFilter)
        ),
    )


def limits() -> str:
    """Every limit that can be changed while the server runs."""
    return _table(
        ("Limit", "Setting", "Default", "Meaning"),
        ((_code(limit.limit), _code(limit.flag), limit.default, limit.help) for limit in changeable_limits()),
    )


def content_limits() -> str:
    """What one mail, one event and one request body may hold."""
    groups = (("a mail", MAIL_LIMITS), ("an event", EVENT_LIMITS), ("a JSON body", BODY_LIMITS))
    rows = [(what, limit.counts, f"{limit.most:,}") for what, limits in groups for limit in limits]
    return _table(("What", "counts", "At most"), rows)


def broken_emulators() -> str:
    """Every broken emulator of the tests, with checks of the contract suite that catch it."""
    rows = caught()
    sections = [f"{sum(len(swaps) for swaps in FAMILIES.values())} broken emulators, {len(rows)} of them caught."]
    for family, swaps in FAMILIES.items():
        sections.append(f"## {family}")
        sections.append(
            _table(
                ("Broken emulator", "Checks that catch it"),
                (
                    (
                        swap.name[:1].upper() + swap.name[1:],
                        ", ".join(_code(f"{group}: {name}") for group, name in rows.get(swap.name, ())) or "none",
                    )
                    for swap in swaps
                ),
            )
        )
    return "\n\n".join(sections)


def known_issues() -> str:
    """Every limit and known issue of the connector's documentation."""
    return _table(
        ("Section", "Issue", "How to bring it about", "Tests"),
        ((issue.section, issue.what, _means(issue), ", ".join(map(_test_name, issue.tests))) for issue in KNOWN_ISSUES),
    )


def deviations(kind: Kind) -> str:
    """The known differences from the real connector, or the behaviour without proof, of one kind."""
    return _table(
        ("Where", "The emulator", "The real connector", "Evidence", "Probe"),
        (
            (
                " ".join(map(_code, filter(None, (*deviation.operations, deviation.member)))),
                deviation.ours + (f" Setting: {_flag(deviation.setting)}." if deviation.setting else ""),
                deviation.theirs.capitalize() if deviation.theirs == "unknown" else deviation.theirs,
                deviation.evidence,
                ", ".join(probe.id for probe in PROBES if deviation.name in probe.settles),
            )
            for deviation in deviations_of_contract()
            if deviation.kind is kind
        ),
    )


def probes() -> str:
    """Every probe with its question, what it needs, and how many requests it takes."""
    requests = {entry["probe"]: entry["requests"] for entry in answers.of_emulator()["probes"]}
    return _table(
        ("Probe", "Question", "Needs", "Requests"),
        (
            (
                f"{probe.id} {_code(probe.name)}",
                probe.question,
                ", ".join(map(_code, conditions(probe))),
                str(requests[probe.id]) + (" with `--heavy`" if probe.has_heavy_parts else ""),
            )
            for probe in PROBES
        ),
    )


def operations() -> str:
    """Every operation of the connector."""
    return _table(
        ("Operation", "Version", "Kind", "Request"),
        (
            (
                f"`{operation.id}`" + (" (deprecated)" if operation.deprecated else ""),
                operation.version,
                operation.kind.value,
                _code(f"{operation.method} {operation.path}"),
            )
            for operation in sorted(OPERATIONS, key=lambda operation: (operation.family, operation.version))
        ),
    )


def admin_operations() -> str:
    """Every operation of the admin API."""
    return _table(
        ("Request", "What it does"),
        ((_code(f"{operation.method} {operation.path}"), operation.summary) for operation in ADMIN),
    )


def fixtures() -> str:
    """Every fixture of the pytest plugin, with the first sentence of its docstring."""
    source = Path(pytest_plugin.__file__).read_text(encoding="utf-8")
    functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    public = [node for node in functions if _is_fixture(node) and not node.name.startswith("_")]
    return _table(("Fixture", "What it is"), ((f"`{node.name}`", _first_sentence(node)) for node in public))


def commands() -> str:
    """Every command with its arguments and options."""
    return "\n\n".join(_commands(parser(), "outlook-emulator"))


TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "faults": faults,
    "fault-match": partial(declared_options, FaultMatch, "fault add"),
    "fault-when": partial(declared_options, FaultWhen, "fault add"),
    "fault-effect": partial(declared_options, FaultEffect, "fault add"),
    "journal-filters": journal_filters,
    "limits": limits,
    "content-limits": content_limits,
    "known-issues": known_issues,
    **{f"deviations-{kind.value}": partial(deviations, kind) for kind in Kind},
    "probes": probes,
    "admin-operations": admin_operations,
    "fixtures": fixtures,
    "commands": commands,
    "broken-emulators": broken_emulators,
}

BUILT_TABLES: Mapping[str, Callable[[], str]] = {"operations": operations}


def _commands(command: argparse.ArgumentParser, name: str) -> Iterator[str]:
    groups = [action for action in command._actions if isinstance(action, argparse._SubParsersAction)]
    if not groups:
        yield from _command(command, name)
    for group in groups:
        helps = {choice.dest: choice.help or "" for choice in group._choices_actions}
        for word, below in group.choices.items():
            path = f"{name} {word}".partition(" ")[2]
            yield f"{'##' if path == word else '###'} `{path}`\n\n{_sentence(helps[word])}"
            if word in _FROM_SETTINGS:
                yield "Its options are the [settings](settings.md)."
            else:
                yield from _commands(below, f"{name} {word}")


def _command(command: argparse.ArgumentParser, name: str) -> Iterator[str]:
    own = [action for action in command._actions if action.dest not in _SHARED_OPTIONS]
    arguments = [action for action in own if action.help is not argparse.SUPPRESS]
    if arguments:
        yield _table(("Argument", "Meaning"), ((_code(_spelling(action)), _help(action)) for action in arguments))


def _spelling(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else None
    value = metavar or (action.option_strings or [action.dest])[-1].lstrip("-").upper()
    if not action.option_strings:
        return {"?": f"[{value}]", "+": f"{value} ..."}.get(str(action.nargs), value)
    if isinstance(action, argparse.BooleanOptionalAction):
        return " / ".join(action.option_strings)
    return action.option_strings[-1] if action.nargs == 0 else f"{action.option_strings[-1]} {value}"


def _help(action: argparse.Action) -> str:
    choices = tuple(map(str, action.choices)) if action.choices is not None else ()
    return _with_choices(action.help or "", choices)


def _with_choices(help: str, choices: Iterable[str]) -> str:
    """A help text that names the choices, at its end unless it does so itself."""
    shown = [_code(choice) for choice in choices]
    return f"{help} ({', '.join(shown)})" if not all(choice in help for choice in shown) else help


def _shown(default: Any) -> str:
    return "(empty)" if default in ("", None) else str(default)


def _means(issue: KnownIssue) -> str:
    flags = [f"setting {_flag(name)}" for name in issue.settings]
    return ", ".join([*flags, *(f"fault `{name}`" for name in issue.faults)]) or "always"


def _flag(setting: str) -> str:
    return _code(f"--{setting.replace('_', '-')}")


def _test_name(test: str) -> str:
    return _code(test.rpartition("::")[2])


def _is_fixture(node: ast.FunctionDef) -> bool:
    return any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)


def _first_sentence(node: ast.FunctionDef) -> str:
    return re.split(r"(?<=\.)\s", ast.get_docstring(node) or "", maxsplit=1)[0]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".") + "."


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    columns = list(head)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def main() -> int:
    """Bring every page up to date."""
    for page in sorted(DOCS.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        if (after := updated(before)) != before:
            page.write_text(after, encoding="utf-8")
            print(f"updated {page.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
