"""Snapshot stores in memory and in a folder, and other files in that folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from outlook_emulator.store.database import Database
from outlook_emulator.store.snapshots import NAME, TAKEN, Snapshot, Snapshots, SnapshotsInFolder, SnapshotsInMemory


@pytest.fixture(params=("memory", "folder"))
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Snapshots:
    return SnapshotsInFolder(tmp_path / "box.snapshots") if request.param == "folder" else SnapshotsInMemory()


@pytest.fixture
def db() -> Iterator[Database]:
    with closing(Database()) as database:
        yield database


def taken(db: Database, at: int) -> bytes:
    return db.image({TAKEN: str(at)})


def test_a_new_store_is_empty(kept: Snapshots) -> None:
    """A new store has no snapshots, and clearing it is allowed."""
    kept.clear()

    assert ([], []) == (kept.names(), kept.every())


def test_snapshots_are_listed_by_name(kept: Snapshots, db: Database) -> None:
    """Snapshots are listed by name with their time and size."""
    images = {name: taken(db, at) for at, name in enumerate(("b", "a.b", "a", "A"), start=7)}
    snapshots = [kept.keep(name, image, at) for at, (name, image) in enumerate(images.items(), start=7)]
    size = len(images["a"])

    assert [
        Snapshot("b", 7, size),
        Snapshot("a.b", 8, size),
        Snapshot("a", 9, size),
        Snapshot("A", 10, size),
    ] == snapshots
    assert ["A", "a", "a.b", "b"] == kept.names()
    assert sorted(snapshots) == kept.every()
    assert images == {name: kept.image(name) for name in images}


def test_a_snapshot_is_replaced(kept: Snapshots, db: Database) -> None:
    """A later snapshot replaces the earlier one of the same name."""
    kept.keep("a", taken(db, 1), 1)
    kept.keep("a", later := taken(db, 2), 2)

    assert ([Snapshot("a", 2, len(later))], later) == (kept.every(), kept.image("a"))


def test_drop_and_clear(kept: Snapshots, db: Database) -> None:
    """One snapshot or all snapshots can be deleted."""
    for name in "abc":
        kept.keep(name, taken(db, 1), 1)
    kept.drop("b")
    left = kept.names()
    kept.clear()

    assert (["a", "c"], []) == (left, kept.names())


def test_files_survive_a_restart(tmp_path: Path, db: Database) -> None:
    """A new store on the same folder has the same snapshots; clearing it removes the folder."""
    folder = tmp_path / "box.snapshots"
    SnapshotsInFolder(folder).keep("a", image := taken(db, 5), 5)
    later = SnapshotsInFolder(folder)
    snapshots_and_image = later.every(), later.image("a")
    later.clear()

    assert (([Snapshot("a", 5, len(image))], image), False) == (snapshots_and_image, folder.exists())


def test_partial_file_is_ignored(tmp_path: Path, db: Database) -> None:
    """A partly written file is ignored, and the next snapshot of that name replaces it."""
    folder = tmp_path / "box.snapshots"
    kept = SnapshotsInFolder(folder)
    kept.keep("a", before := taken(db, 1), 1)
    (folder / ".a.sqlite.part").write_bytes(b"SQLite for")
    names_and_image = kept.names(), kept.image("a")
    kept.keep("a", taken(db, 2), 2)

    assert (["a"], before) == names_and_image
    assert ["a.sqlite"] == [path.name for path in folder.iterdir()]


def test_other_files_are_ignored(tmp_path: Path) -> None:
    """Files without a valid snapshot name are ignored; an unreadable snapshot has no time."""
    folder = tmp_path / "box.snapshots"
    folder.mkdir()
    for name in ("notes.txt", "a b.sqlite", ".hidden.sqlite", "garbage.sqlite", "empty.sqlite"):
        (folder / name).write_bytes(b"" if name.startswith("empty") else b"Dear diary")

    assert [Snapshot("empty", None, 0), Snapshot("garbage", None, 10)] == SnapshotsInFolder(folder).every()


@pytest.mark.parametrize("name", ["a", "A-b_c.d", "1.2.3", "x" * 64, "a.sqlite"])
def test_names(name: str) -> None:
    """A name has letters, digits, `-` and `_`, and dots between them."""
    assert NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a.", "a..b", "a/b", "a b", "ä", "x" * 65, "a\n", "\x00"])
def test_invalid_names(name: str) -> None:
    """A name that is not a plain file name is invalid."""
    assert not NAME.fullmatch(name)
