"""What cost much to find is remembered, in bounded memory."""

from service.remembered import Remembered


def test_latest_asked_for_is_kept_and_the_oldest_forgotten() -> None:
    memory: Remembered[str, int] = Remembered(2)
    memory.put("flood", 1)
    memory.put("fire", 2)

    assert memory.get("flood") == 1
    memory.put("tide", 3)

    assert (memory.get("flood"), memory.get("fire"), memory.get("tide")) == (1, None, 3)


def test_finding_nothing_is_remembered_like_anything_else() -> None:
    memory: Remembered[str, tuple[str, ...]] = Remembered(1)

    assert memory.put("flood", ()) == ()

    assert memory.get("flood") == ()
