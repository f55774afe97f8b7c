"""The simulator's book: what it accepted, under which id, and what became of it."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO


class Kind(StrEnum):
    """What a record is of."""

    SMS = "sms"
    VOICE = "voice"
    EMAIL = "email"
    WEBHOOK = "webhook"
    INBOUND = "inbound"  # an SMS from a person to us


@dataclass(frozen=True, slots=True)
class Change:
    """A status, since when (epoch seconds), and the provider's code if it is bad news."""

    status: str
    at: float
    code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing accepted. `seq` counts from 1 in the order of acceptance.

    `params` is what the request said beside to, from and text; an e-mail keeps its raw bytes there
    as text with surrogate escapes. `heard` is what a call said, as (text, language).
    """

    kind: Kind
    id: str
    to: str
    sender: str
    at: float
    text: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    history: tuple[Change, ...] = ()
    heard: tuple[tuple[str, str], ...] = ()
    key: str = ""  # what the person pressed
    answered_by: str = ""
    duration: int = 0  # seconds of a call, as it would have taken
    seq: int = 0

    @property
    def status(self) -> str:
        return self.history[-1].status if self.history else ""

    @property
    def code(self) -> int:
        return self.history[-1].code if self.history else 0

    @property
    def updated_at(self) -> float:
        return self.history[-1].at if self.history else self.at

    def since(self, *statuses: str) -> float | None:
        """Return when it first had one of `statuses`."""
        return next((change.at for change in self.history if change.status in statuses), None)


class Book:
    """Records in order, found by id and by address; kept in a file if there is a path.

    The file is append-only JSON lines, each flushed when it is written: a line that was torn by a
    crash is passed over when it is read again, and its change is lost, not the book.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._records: list[Record] = []
        self._by_id: dict[str, int] = {}
        self._by_to: defaultdict[tuple[Kind, str], list[int]] = defaultdict(list)
        self._file: TextIO | None = None
        if path:
            self._reload(path)
            self._file = path.open("a", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file:
            self._file.close()
            self._file = None

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: Record) -> Record:
        """Write it down and return it with its number."""
        numbered = replace(record, seq=len(self._records) + 1)
        self._write({"add": as_line(numbered)})
        self._keep(numbered)
        return numbered

    def change(self, seq: int, status: str, at: float, code: int = 0) -> Record:
        """Give the record a new status."""
        change = Change(status, at, code)
        self._write({"change": seq, "to": [status, at, code]})
        return self._changed(seq, history=(*self._records[seq - 1].history, change))

    def note(self, seq: int, **what: Any) -> Record:
        """Replace `heard`, `key`, `answered_by`, `duration` or `text` of the record."""
        self._write({"note": seq, "what": what})
        return self._changed(seq, **what)

    def get(self, seq: int) -> Record:
        return self._records[seq - 1]

    def find(self, kind: Kind, record_id: str) -> Record | None:
        """Return the latest record of that kind and id."""
        at = self._by_id.get(record_id)
        found = self._records[at] if at is not None else None
        return found if found and found.kind is kind else None

    def count(self, kind: Kind, to: str) -> int:
        """Return how many records of that kind an address has."""
        return len(self._by_to.get((kind, to), ()))

    def newest(
        self, kind: Kind | None = None, to: str | None = None, below: int | None = None
    ) -> Iterator[Record]:
        """Go through the records from the newest to the oldest, only those with seq < `below`."""
        if kind and to:
            places: Iterator[int] = iter(reversed(self._by_to.get((kind, to), [])))
        else:
            top = len(self._records) if below is None else min(below - 1, len(self._records))
            places = iter(range(top - 1, -1, -1))
        for place in places:
            record = self._records[place]
            if (
                (kind is None or record.kind is kind)
                and (to is None or record.to == to)
                and (below is None or record.seq < below)
            ):
                yield record

    def all(self) -> Iterator[Record]:
        """Go through the records in order, those too that come while going."""
        place = 0
        while place < len(self._records):
            yield self._records[place]
            place += 1

    def _keep(self, record: Record) -> None:
        place = len(self._records)
        self._records.append(record)
        self._by_id[record.id] = place
        self._by_to[record.kind, record.to].append(place)

    def _changed(self, seq: int, **what: Any) -> Record:
        record = replace(self._records[seq - 1], **what)
        self._records[seq - 1] = record
        return record

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file:
            self._file.write(json.dumps(line, separators=(",", ":")) + "\n")
            self._file.flush()

    def _reload(self, path: Path) -> None:
        if not path.exists():
            return
        text = path.read_text(encoding="utf-8")
        for line in text.splitlines():
            try:
                self._replay(json.loads(line))
            except (ValueError, IndexError, KeyError, TypeError):
                continue
        if text and not text.endswith("\n"):
            with path.open("a", encoding="utf-8") as file:
                file.write("\n")

    def _replay(self, line: Mapping[str, Any]) -> None:
        if "add" in line:
            self._keep(replace(from_line(line["add"]), seq=len(self._records) + 1))
        elif "change" in line:
            seq = line["change"]
            history = (*self._records[seq - 1].history, Change(*line["to"]))
            self._changed(seq, history=history)
        elif "note" in line:
            what = dict(line["what"])
            if "heard" in what:
                what["heard"] = tuple((text, language) for text, language in what["heard"])
            self._changed(line["note"], **what)


def as_line(record: Record) -> dict[str, Any]:
    """Return the whole record as plain data."""
    return {
        "seq": record.seq,
        "kind": record.kind,
        "id": record.id,
        "to": record.to,
        "from": record.sender,
        "at": record.at,
        "text": record.text,
        "params": dict(record.params),
        "history": [[change.status, change.at, change.code] for change in record.history],
        "heard": [list(said) for said in record.heard],
        "key": record.key,
        "answered_by": record.answered_by,
        "duration": record.duration,
    }


def from_line(line: Mapping[str, Any]) -> Record:
    """Read what `as_line` wrote."""
    return Record(
        seq=line["seq"],
        kind=Kind(line["kind"]),
        id=line["id"],
        to=line["to"],
        sender=line["from"],
        at=line["at"],
        text=line["text"],
        params=line["params"],
        history=tuple(Change(*change) for change in line["history"]),
        heard=tuple((text, language) for text, language in line["heard"]),
        key=line["key"],
        answered_by=line["answered_by"],
        duration=line["duration"],
    )
