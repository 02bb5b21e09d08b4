"""The memory of recent results is bounded, and never wrong."""

from __future__ import annotations

from outlook_emulator.recent import Recent


def test_it_forgets_when_it_is_full() -> None:
    """It holds at most as much as it may, and the newest value always."""
    recent: Recent[int, str] = Recent(80)

    for key in range(100):
        recent.keep(key, "x", size=10)
        assert recent.get(key) == "x"
        assert len(recent) <= 8

    assert recent.get(0) is None


def test_it_does_not_keep_what_is_too_large() -> None:
    """A value that would take much of the room is not kept, and nothing else is forgotten for it."""
    recent: Recent[str, str] = Recent(80)
    recent.keep("small", "x", size=10)

    recent.keep("large", "x", size=11)

    assert list(recent) == ["small"]


def test_it_has_all_its_room_after_it_is_cleared() -> None:
    """What was cleared takes no room."""
    recent: Recent[int, str] = Recent(80)
    for key in range(8):
        recent.keep(key, "x", size=10)

    recent.clear()
    for key in range(8):
        recent.keep(key, "y", size=10)

    assert len(recent) == 8
