"""A plug-in that kills the process it sends in, told one address: as a bug in a driver might."""

import os
import sys
from pathlib import Path
from typing import ClassVar

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from typing_extensions import override

from kentongan.channel import Channel, Gate, Limits, Pace, Repeat
from kentongan.message import Envelope, Preview, Wording
from kentongan.outcome import Accepted, Outcome
from kentongan.retry import RetrySchedule

#: Where it sends, and what a text says that nobody survives to expand.
POISON = "poison"
DEADLY_TEXT = "kills whoever looks at it"


class DeadlySettings(BaseSettings):
    """Where it writes down whom it told."""

    model_config = SettingsConfigDict(env_prefix="KENTONGAN_DEADLY_", extra="ignore")

    book: str = Field(description="A file; one line for each message.")


class Deadly(Channel[DeadlySettings, str]):
    """Appends to a file, or dies."""

    name = "deadly"
    settings_type = DeadlySettings
    limits = Limits(text=1000)
    repeat = Repeat.ALWAYS
    retry: ClassVar[RetrySchedule] = RetrySchedule(waits=(0.2,) * 9, jitter=0)

    @property
    @override
    def sender(self) -> str:
        return "deadly"

    @property
    @override
    def pace(self) -> Pace:
        return Pace(units_per_second=1000, burst=1000)

    @override
    def check(self, address: str) -> str:
        return address

    @override
    def prepare(self, wording: Wording) -> str:
        return wording.text

    @override
    def units(self, prepared: str) -> int:
        if DEADLY_TEXT in prepared and "worker" in sys.argv:
            os._exit(70)
        return 1

    @override
    def preview(self, prepared: str) -> Preview:
        return Preview(text=prepared)

    @override
    async def send(self, prepared: str, envelope: Envelope, gate: Gate) -> Outcome:
        await gate(None)
        self._note(f"{envelope.attempt.no} {envelope.address}\n")
        if envelope.address == POISON:
            os._exit(70)
        return Accepted(envelope.address)

    def _note(self, line: str) -> None:
        with Path(self.settings.book).open("a", encoding="utf-8") as book:
            book.write(line)


CHANNEL = Deadly


def plugged_in(folder: Path) -> dict[str, str]:
    """Return the variables by which a process finds this channel as an installed plug-in."""
    info = folder / "deadly-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: deadly\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[kentongan.channels]\ndeadly = tests.fakes.deadly:CHANNEL\n"
    )
    root = Path(__file__).parents[2]
    return {
        "PYTHONPATH": f"{folder}{os.pathsep}{root}",
        "KENTONGAN_DEADLY_BOOK": str(folder / "book.txt"),
    }
