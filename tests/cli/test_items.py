"""The commands `import` and `export`: files of events and contacts."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.cli.commands import failure, run
from tests.paths import FIXTURES

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("file", "items"), [("ics/windows-zone.ics", "5 items"), ("vcf/v4.vcf", "1 item")])
def test_import_and_export(url: str, file: str, items: str) -> None:
    """A file is imported into a mailbox and exported from it."""
    format = file[-3:]
    httpx.get(f"{url}/apim/outlook/filed/testconnection", headers={"Authorization": "Key k"}).raise_for_status()
    path = str(FIXTURES / file)
    output, brought = (run("import", path, "--connection", "filed", "--url", url, *more) for more in ([], ["--json"]))
    carried = run("export", format, "--connection", "filed", "--url", url)

    assert (0, 0, 0) == (output.returncode, brought.returncode, carried.returncode)
    assert f"imported {items} from {path}\n" == output.stdout
    assert json.loads(brought.stdout)["ids"]
    begin = {"ics": "BEGIN:VCALENDAR", "vcf": "BEGIN:VCARD"}[format]
    assert carried.stdout.startswith(begin)


def test_invalid_import(url: str, tmp_path: Path) -> None:
    """A file that is missing, has an unknown extension, or is imported to an unknown connection gives one line of
    error.
    """
    broken = tmp_path / "broken.ics"
    broken.write_text("hello")
    for arguments, expected in (
        (["mail.eml", "--connection", "x"], "the name of mail.eml must end in .ics or .vcf"),
        (["none.ics", "--connection", "x"], "cannot read none.ics: No such file or directory"),
        ([str(broken), "--connection", "nobody-yet"], "No connection 'nobody-yet' exists in this sandbox."),
    ):
        assert failure(run("import", *arguments, "--url", url)) == expected


def test_invalid_export(url: str) -> None:
    """An export from an unknown connection gives one line of error."""
    done = run("export", "ics", "--connection", "nobody-yet", "--url", url)

    assert failure(done) == "No connection 'nobody-yet' exists in this sandbox."


def test_error_names_the_folder(url: str) -> None:
    """The line of error says which folder is unknown, which only `originalMessage` of the response does."""
    httpx.get(f"{url}/apim/outlook/filed/testconnection", headers={"Authorization": "Key k"}).raise_for_status()
    done = run("export", "ics", "--connection", "filed", "--folder", "Nowhere", "--url", url)

    assert failure(done) == "The specified folder could not be found in the store. ('Nowhere')"
