"""Ranking deliveries by what they mean for their person, so that the best is a maximum."""

from kentongan.delivery import PERSON_STATE_OF, PersonState, State

PERSON_RANK = {state: rank for rank, state in enumerate(reversed(PersonState))}


def person_rank_sql(column: str) -> str:
    """Return SQL that ranks a delivery's state by what it means for its person."""
    ranks = "".join(
        f" WHEN '{state}' THEN {PERSON_RANK[PERSON_STATE_OF[state]]}" for state in State
    )
    return f"CASE {column}{ranks} END"
