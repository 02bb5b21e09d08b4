"""Where snapshots are kept: in memory or in a folder, and what else may lie in that folder."""

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


def test_there_is_nothing_at_first(kept: Snapshots) -> None:
    """Without a snapshot there is an empty list, and nothing to forget."""
    kept.clear()

    assert ([], []) == (kept.names(), kept.every())


def test_what_is_kept(kept: Snapshots, db: Database) -> None:
    """Every snapshot is there by its name, with its size and its time, in the order of names."""
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


def test_a_name_is_used_again(kept: Snapshots, db: Database) -> None:
    """The later snapshot of a name replaces the earlier one."""
    kept.keep("a", taken(db, 1), 1)
    kept.keep("a", later := taken(db, 2), 2)

    assert ([Snapshot("a", 2, len(later))], later) == (kept.every(), kept.image("a"))


def test_forgetting(kept: Snapshots, db: Database) -> None:
    """One is forgotten, or all of them."""
    for name in "abc":
        kept.keep(name, taken(db, 1), 1)
    kept.drop("b")
    left = kept.names()
    kept.clear()

    assert (["a", "c"], []) == (left, kept.names())


def test_files_are_there_again(tmp_path: Path, db: Database) -> None:
    """Whoever looks into the folder later finds what was kept; once all is forgotten, the folder has gone."""
    folder = tmp_path / "box.snapshots"
    SnapshotsInFolder(folder).keep("a", image := taken(db, 5), 5)
    later = SnapshotsInFolder(folder)
    snapshots_and_image = later.every(), later.image("a")
    later.clear()

    assert (([Snapshot("a", 5, len(image))], image), False) == (snapshots_and_image, folder.exists())


def test_a_kill_leaves_the_one_before(tmp_path: Path, db: Database) -> None:
    """What was not written to its end is no snapshot, and the next one of the name takes its place."""
    folder = tmp_path / "box.snapshots"
    kept = SnapshotsInFolder(folder)
    kept.keep("a", before := taken(db, 1), 1)
    (folder / ".a.part").write_bytes(b"SQLite for")
    names_and_image = kept.names(), kept.image("a")
    kept.keep("a", taken(db, 2), 2)

    assert (["a"], before) == names_and_image
    assert ["a.sqlite"] == [path.name for path in folder.iterdir()]


def test_other_files_are_none(tmp_path: Path) -> None:
    """A file that no snapshot could have is left out; one with such a name that cannot be read has no time."""
    folder = tmp_path / "box.snapshots"
    folder.mkdir()
    for name in ("notes.txt", "a b.sqlite", ".hidden.sqlite", "garbage.sqlite", "empty.sqlite"):
        (folder / name).write_bytes(b"" if name.startswith("empty") else b"Dear diary")

    assert [Snapshot("empty", None, 0), Snapshot("garbage", None, 10)] == SnapshotsInFolder(folder).every()


@pytest.mark.parametrize("name", ["a", "A-b_c.d", "1.2.3", "x" * 64, "a.sqlite"])
def test_names(name: str) -> None:
    """Letters, digits, - and _, and dots between them."""
    assert NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["", ".", "..", ".a", "a.", "a..b", "a/b", "a b", "ä", "x" * 65, "a\n", "\x00"])
def test_what_is_no_name(name: str) -> None:
    """What could name another file, or none."""
    assert not NAME.fullmatch(name)
