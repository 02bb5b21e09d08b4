"""Seed folders as zip files."""

from __future__ import annotations

from pathlib import Path

from outlook_emulator import seed_folder


def test_each_file_is_reported(tmp_path: Path) -> None:
    """Packing reports each file, and folders are none."""
    (tmp_path / "mail" / "Inbox").mkdir(parents=True)
    for name in (seed_folder.DESCRIPTION, "mail/Inbox/a.eml", "mail/Inbox/b.eml"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    reports: list[tuple[int, int]] = []

    seed_folder.packed(tmp_path, lambda *report: reports.append(report))

    assert [(1, 3), (2, 3), (3, 3)] == reports
