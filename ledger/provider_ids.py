"""Which attempts hold which of a provider's ids: what another attempt holds is not adopted."""

from collections import defaultdict
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.ids import AttemptRef, DeliveryId
from ledger.dialect import among
from ledger.schema import attempts


class Holders:
    """The holders of some ids. Several may hold one: repeats of an e-mail share its Message-ID."""

    def __init__(self) -> None:
        self._refs: defaultdict[tuple[str, str], set[AttemptRef]] = defaultdict(set)

    def hold(self, channel: str, provider_id: str | None, ref: AttemptRef) -> None:
        if provider_id:
            self._refs[channel, provider_id].add(ref)

    def is_free(self, channel: str, provider_id: str | None, ref: AttemptRef) -> bool:
        """Tell whether an id may be this attempt's."""
        held_by = self._refs.get((channel, provider_id)) if provider_id else None
        return not held_by or ref in held_by


async def holders(db: AsyncConnection, ids: Collection[tuple[str, str]]) -> Holders:
    """Return the attempts that hold any of these (channel, id)."""
    found = Holders()
    if not ids:
        return found
    rows = await db.execute(
        select(
            attempts.c.channel, attempts.c.provider_id, attempts.c.delivery_id, attempts.c.no
        ).where(
            attempts.c.channel.in_(sorted({channel for channel, _ in ids})),
            among(db, attempts.c.provider_id, sorted({provider_id for _, provider_id in ids})),
        )
    )
    for row in rows:
        found.hold(row.channel, row.provider_id, AttemptRef(DeliveryId(row.delivery_id), row.no))
    return found
