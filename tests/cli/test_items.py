"""The commands `import` and `export`: files of events and contacts."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.cli.commands import failure, run_here, run_with_input
from tests.paths import FIXTURES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("file", "items"), [("ics/windows-zone.ics", "5 items"), ("vcf/v4.vcf", "1 item")])
def test_import_and_export(url: str, file: str, items: str) -> None:
    """A file is imported into a mailbox and exported from it."""
    format = file[-3:]
    httpx.get(f"{url}/apim/outlook/filed/testconnection", headers={"Authorization": "Key k"}).raise_for_status()
    path = str(FIXTURES / file)
    output, brought = (
        run_here("import", path, "--connection", "filed", "--url", url, *more) for more in ([], ["--json"])
    )
    carried = run_here("export", format, "--connection", "filed", "--url", url)

    assert (0, 0, 0) == (output.returncode, brought.returncode, carried.returncode)
    assert f"imported {items} from {path}\n" == output.stdout
    assert json.loads(brought.stdout)["ids"]
    begin = {"ics": "BEGIN:VCALENDAR", "vcf": "BEGIN:VCARD"}[format]
    assert carried.stdout.startswith(begin)


def test_invalid_import(url: str, tmp_path: Path) -> None:
    """A file that is missing, has no items, or is imported to an unknown connection gives one line of error."""
    mail = tmp_path / "mail.eml"
    mail.write_text("Subject: Lunch\n\n")
    hint = "--format names the format, and `outlook-emulator mail deliver` takes mails"
    broken = tmp_path / "broken.ics"
    broken.write_text("hello")
    for arguments, expected in (
        (
            [str(mail), "--connection", "x"],
            f"{mail} has neither a calendar nor a vCard; {hint}",
        ),
        (["none.ics", "--connection", "x"], "cannot read none.ics: No such file or directory"),
        ([str(broken), "--connection", "nobody-yet"], "No connection 'nobody-yet' exists in this sandbox."),
    ):
        assert failure(run_here("import", *arguments, "--url", url)) == expected


def test_invalid_export(url: str) -> None:
    """An export from an unknown connection gives one line of error."""
    done = run_here("export", "ics", "--connection", "nobody-yet", "--url", url)

    assert failure(done) == "No connection 'nobody-yet' exists in this sandbox."


def test_error_names_the_folder(url: str) -> None:
    """The line of error says which folder is unknown, which only `originalMessage` of the response does."""
    httpx.get(f"{url}/apim/outlook/filed/testconnection", headers={"Authorization": "Key k"}).raise_for_status()
    done = run_here("export", "ics", "--connection", "filed", "--folder", "Nowhere", "--url", url)

    assert failure(done) == "The specified folder could not be found in the store. ('Nowhere')"


ODD_BOOK = "BEGIN:VCARD\nFN:Ann\nno line\nEND:VCARD\n"
LEFT_OUT = "left out card \"Ann\", line 3: It is not a property: 'no line'.\n"


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_import_prints_what_it_leaves_out(url: str, tmp_path: Path, more: list[str]) -> None:
    """What was left out is printed on standard error; the import succeeds."""
    file = tmp_path / "odd.vcf"
    file.write_text(ODD_BOOK)
    httpx.get(f"{url}/apim/outlook/odd/testconnection", headers={"Authorization": "Key k"}).raise_for_status()
    done = run_here("import", str(file), "--connection", "odd", "--url", url, *more)

    assert (done.returncode, done.stderr) == (0, LEFT_OUT)
    if more:
        assert len(json.loads(done.stdout)["skipped"]) == 1
    else:
        assert done.stdout == f"imported 1 item from {file}, and left out 1 part\n"


def test_strict_import(url: str, tmp_path: Path) -> None:
    """With --strict, nothing is imported, and the same parts are listed."""
    file = tmp_path / "odd.vcf"
    file.write_text(ODD_BOOK)
    httpx.get(f"{url}/apim/outlook/strict/testconnection", headers={"Authorization": "Key k"}).raise_for_status()
    done = run_here("import", str(file), "--strict", "--connection", "strict", "--url", url)

    assert (done.returncode, done.stdout) == (1, "")
    first, rest = done.stderr.split("\n", 1)
    assert first.startswith("outlook-emulator: Nothing was imported, since a part would be left out.")
    assert rest == LEFT_OUT
    assert "Ann" not in run_here("contacts", "--connection", "strict", "--url", url).stdout


@pytest.mark.parametrize(
    ("content", "more", "expected"),
    [
        (b"BEGIN:VCARD\nFN:Ann\nEND:VCARD\n", [], "imported 1 item from standard input\n"),
        ("\ufeffBEGIN:VCARD\nFN:Ann\nEND:VCARD\n".encode("utf-16"), [], "imported 1 item from standard input\n"),
        ((FIXTURES / "ics" / "windows-zone.ics").read_bytes(), [], "imported 5 items from standard input\n"),
        (b"BEGIN:VCARD\nFN:Ann\nEND:VCARD\n", ["--format", "vcf"], "imported 1 item from standard input\n"),
    ],
    ids=["vcf", "utf-16", "ics", "named"],
)
def test_import_of_standard_input(url: str, content: bytes, more: list[str], expected: str) -> None:
    """`-` reads standard input; its content tells the format."""
    httpx.get(f"{url}/apim/outlook/piped/testconnection", headers={"Authorization": "Key k"}).raise_for_status()
    done = run_here("import", "-", "--connection", "piped", "--url", url, *more, content=content)

    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")


def test_standard_input_without_items(url: str) -> None:
    """Standard input of an unknown format gives one line of error."""
    done = run_with_input(b"hello", "import", "-", "--connection", "piped", "--url", url)

    assert failure(done).startswith("standard input has neither a calendar nor a vCard; --format names the format")


@pytest.mark.parametrize("more", [[], ["--strict"]], ids=["lenient", "strict"])
def test_delivery_prints_what_it_leaves_out(url: str, more: list[str]) -> None:
    """A mail with an odd line in its headers is delivered without it, or refused with --strict."""
    httpx.get(f"{url}/apim/outlook/mailed/testconnection", headers={"Authorization": "Key k"}).raise_for_status()
    mail = b"From: bob@example.org\nodd line\nSubject: Hi\n\nHello"
    done = run_here("mail", "deliver", "-", "--connection", "mailed", "--url", url, *more, content=mail)

    expected = "left out header line 'odd line', line 2: It is not of the form 'Name: value'."
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1 if more else 0, expected)
    assert bool(done.stdout) is not bool(more)


@pytest.mark.parametrize("more", [[], ["--strict"]], ids=["lenient", "strict"])
def test_seeding_prints_what_it_leaves_out(url: str, tmp_path: Path, more: list[str]) -> None:
    """A seed folder with an unreadable file is loaded without it, or refused with --strict."""
    folder = tmp_path / f"odd-{len(more)}"
    (folder / "contacts").mkdir(parents=True)
    (folder / "mailbox.toml").write_text(f'address = "odd{len(more)}@example.com"\ndisplay_name = "Odd"\n')
    (folder / "contacts" / "a.vcf").write_text("nonsense")
    done = run_here("seed", str(folder), "--url", url, *more)

    expected = "left out contacts/a.vcf: The content is not a vCard: it has no BEGIN:VCARD."
    assert (done.returncode, done.stderr.splitlines()[-1]) == (1 if more else 0, expected)
