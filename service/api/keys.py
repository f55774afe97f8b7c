"""`/v1/keys`: who may call, as what, and until when."""

import dataclasses
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from kentongan.access import Act, Role
from kentongan.alert import Mode
from kentongan.clock import seconds, to_datetime, to_micros
from ledger import audit, keys
from ledger.engine import Db
from ledger.keys import Key
from service.calls import Call
from service.web.bodies import Body, Instant, Line, Out, Path, Query, id_pattern
from service.web.openapi import Api
from service.web.problems import ProblemError, fault, missing

api = Api("keys")

KeyIdText = Annotated[str, Field(pattern=id_pattern("key_"))]
Ceiling = Annotated[int, Field(ge=1, le=1_000_000)]


class KeyPath(Path):
    key_id: KeyIdText


class KeysQuery(Query):
    limit: int = Field(100, ge=1, le=500)
    cursor: str = Field(
        "", pattern=r"^(key_[0-9a-v]{26})?$", description="`next` of the page before."
    )


class NewKey(Body):
    name: Line = Field(description="For people: who holds it.")
    role: Role
    modes: list[Mode] = Field(
        min_length=1, max_length=3, description="The modes in which it may make alerts."
    )
    groups: list[Line] = Field(
        default_factory=list,
        max_length=1000,
        description="The groups that an integration may alert; others need none.",
    )
    people_per_alert: Ceiling | None = Field(None, description="An integration's ceiling.")
    people_per_hour: Ceiling | None = Field(None, description="An integration's ceiling.")
    expires_at: Instant | None = None

    @model_validator(mode="after")
    def _fits_its_role(self) -> Self:
        bounds = (self.groups, self.people_per_alert, self.people_per_hour)
        if self.role is Role.INTEGRATION and not all(bounds):
            raise fault(
                "An integration is bounded.", "Give groups, people_per_alert and people_per_hour."
            )
        if self.role is not Role.INTEGRATION and any(bounds):
            raise fault(
                "Only an integration is bounded.",
                "Take groups and the ceilings out, or make the role integration.",
            )
        return self


class Rotation(Body):
    overlap_seconds: int = Field(
        3600, ge=0, le=30 * 86_400, description="How long the old key works beside the new one."
    )


class KeyOut(Out):
    id: str
    name: str
    prefix: str = Field(description="The public beginning of the key.")
    role: Role
    modes: list[Mode]
    groups: list[str]
    people_per_alert: int | None
    people_per_hour: int | None
    created_at: Instant
    created_by: str
    last_used_at: Instant | None = Field(description="To the minute.")
    expires_at: Instant | None
    revoked_at: Instant | None
    replaces: str | None = Field(description="The key that this one was rotated from.")


class ShownKey(KeyOut):
    key: str = Field(description="Shown this once; keep it as a secret.")


class KeyPage(Out):
    keys: list[KeyOut]
    next: str | None = Field(description="`cursor` of the next page; null at the end.")


@api.op("POST", "/v1/keys", may=Act.MANAGE_KEYS, status=201)
async def create_key(call: Call, *, body: NewKey) -> ShownKey:
    """Make a key. It is shown in this answer and never again."""
    secret = keys.new_secret()
    until = to_micros(body.expires_at) if body.expires_at else None
    async with call.ledger.write() as db:
        if until is not None and until <= to_micros(call.now()):
            raise _already_over()
        made = await keys.add(
            db,
            secret,
            name=body.name,
            role=body.role,
            modes=body.modes,
            created_by=call.caller,
            groups=body.groups,
            people_per_alert=body.people_per_alert,
            people_per_hour=body.people_per_hour,
            expires_at=until,
        )
        await _note(db, call, "key.create", made, {"role": made.role})
    return _shown(made, secret)


@api.op("GET", "/v1/keys", may=Act.MANAGE_KEYS)
async def list_keys(call: Call, *, query: KeysQuery) -> KeyPage:
    """List keys in the order of their making, also those that are closed."""
    async with call.ledger.read() as db:
        found = await keys.page(db, after=query.cursor, limit=query.limit + 1)
    shown = found[: query.limit]
    more = len(found) > query.limit
    return KeyPage(keys=[_out(key) for key in shown], next=shown[-1].id if more else None)


@api.op("GET", "/v1/self", may=Act.WHO_AM_I)
async def read_own_key(call: Call) -> KeyOut:
    """Tell what the key of this call is, and what it may do."""
    return _out(call.access.key)


@api.op("GET", "/v1/keys/{key_id}", may=Act.MANAGE_KEYS)
async def read_key(call: Call, *, path: KeyPath) -> KeyOut:
    """Read what is known of a key; the key itself is not."""
    async with call.ledger.read() as db:
        return _out(await _existing(db, path))


@api.op("DELETE", "/v1/keys/{key_id}", may=Act.MANAGE_KEYS, status=204, errors=(409,))
async def revoke_key(call: Call, *, path: KeyPath) -> None:
    """Close a key for good. Every process stops believing it within five seconds.

    A key cannot close itself: the last administrator would lock everybody out.
    """
    if path.key_id == call.caller:
        raise ProblemError(
            409, "This is the key of this call.", fix="Use another admin's key, or rotate it."
        )
    async with call.ledger.write() as db:
        key = await _existing(db, path)
        if await keys.revoke(db, key.id, to_micros(call.now())):
            await _note(db, call, "key.revoke", key, {})
    call.house.gate.forget(key)


@api.op("POST", "/v1/keys/{key_id}/rotate", may=Act.MANAGE_KEYS, status=201, errors=(409,))
async def rotate_key(call: Call, *, path: KeyPath, body: Rotation) -> ShownKey:
    """Make a key that follows another: the same rights, a new secret.

    The old one works on for the overlap, so that whoever uses it can change over.
    """
    secret, now = keys.new_secret(), to_micros(call.now())
    async with call.ledger.write() as db:
        old = await _existing(db, path)
        if await keys.is_replaced(db, old.id):
            raise ProblemError(409, "The key was rotated already.", fix="Rotate its successor.")
        over = now + seconds(body.overlap_seconds)
        end = min(over, old.expires_at) if old.expires_at else over
        if not await keys.end(db, old.id, now=now, at=end):
            raise ProblemError(409, "The key is closed.", fix="Make a new one: POST /v1/keys.")
        made = await keys.add(
            db,
            secret,
            name=old.name,
            role=old.role,
            modes=old.modes,
            created_by=call.caller,
            groups=old.groups,
            people_per_alert=old.people_per_alert,
            people_per_hour=old.people_per_hour,
            expires_at=old.expires_at,
            replaces=old.id,
        )
        await _note(db, call, "key.rotate", made, {"replaces": old.id})
    call.house.gate.forget(old)
    return _shown(made, secret)


async def _existing(db: Db, path: KeyPath) -> Key:
    key = await keys.find(db, path.key_id)
    if key is None:
        raise missing("key")
    return key


async def _note(db: Db, call: Call, action: str, key: Key, detail: dict[str, str]) -> None:
    await audit.add(db, actor=call.caller, action=action, subject=key.id, detail=detail)


def _already_over() -> ProblemError:
    return ProblemError(422, "expires_at is in the past.", fix="Choose a later instant.")


def _out(key: Key) -> KeyOut:
    return KeyOut(**_fields(key))


def _shown(key: Key, secret: str) -> ShownKey:
    return ShownKey(**_fields(key), key=secret)


_INSTANTS = ("created_at", "last_used_at", "expires_at", "revoked_at")


def _fields(key: Key) -> dict[str, Any]:
    fields = dataclasses.asdict(key)
    for name in _INSTANTS:
        fields[name] = to_datetime(fields[name]) if fields[name] is not None else None
    return fields | {"modes": sorted(key.modes), "groups": list(key.groups)}
