"""The answer of a person that counts: the first of theirs, by whichever of their deliveries."""

from sqlalchemy import Select, and_, func, select
from sqlalchemy.sql.elements import ColumnElement

from kentongan.delivery import State
from ledger.schema import deliveries, delivery_people, responses


def first_answers(alert_id: str, *whose: ColumnElement[bool]) -> Select[tuple[str, str]]:
    """Return the query for `person_id` and `response` of those of an alert who have answered.

    `response` is an option's key, or empty for a bare acknowledgement. `whose` narrows
    `delivery_people`. Only what was answered is looked at, which an index knows.
    """
    turn = func.row_number().over(
        partition_by=delivery_people.c.person_id,
        order_by=(responses.c.came_at, responses.c.id, deliveries.c.id),
    )
    said = (
        select(delivery_people.c.person_id, deliveries.c.response, turn.label("turn"))
        .join(deliveries, deliveries.c.id == delivery_people.c.delivery_id)
        .outerjoin(
            responses, and_(responses.c.delivery_id == deliveries.c.id, responses.c.first.is_(True))
        )
        .where(deliveries.c.alert_id == alert_id, deliveries.c.state == State.ACKNOWLEDGED, *whose)
        .subquery()
    )
    return select(said.c.person_id, said.c.response).where(said.c.turn == 1)
