"""Nothing is killed: every fate that carriers know, on all four channels at once."""

import pytest

from tests.journey.alerts import an_alert, texts
from tests.journey.world import World

pytestmark = [pytest.mark.journey, pytest.mark.xdist_group("journey-straight")]


def test_three_hundred_texts_arrive(world: World) -> None:
    alert = world.accept(an_alert(texts(300)))

    states = world.wait_until_arrived(alert, 300)

    assert states == {"delivered": 300}
    assert world.balance().repeats == []
