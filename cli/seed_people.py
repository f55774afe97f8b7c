"""Whom `kentongan up` finds the first time: sixty invented people and systems in three groups.

Each has a contact point that the simulator knows what to do with (docs/simulator.md), so that one
alert to `north` shows what can become of a message, all of it decided within half a minute. What
takes longer, or hangs, lives in `south`. A note says of whom something special is to be seen.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kentongan.recipient import Point

GROUPS: Mapping[str, str] = MappingProxyType(
    {"north": "Semarang Utara", "south": "Semarang Selatan", "staff": "Petugas / Staff"}
)

#: +62 860: no operator in Indonesia has 0860, so that nobody can be called by mistake even where
#: these people are warned through a real provider. The four digits that follow decide the fate.
_RANGE = "+628600000"
_ID, _EN = "id", "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Somebody of the example, or some system; `hook` is a path at the simulator."""

    name: str
    locale: str
    phone: str = ""  # the last four digits
    by: tuple[str, ...] = ()  # how that phone is reached
    mail: str = ""  # all before the @
    hook: str = ""
    also: str = ""  # a second group
    note: str = ""

    def points(self, simulator: str) -> Iterator[Point]:
        """Yield the contact points in normal form; `simulator` is its address."""
        for channel in self.by:
            yield channel, _RANGE + self.phone
        if self.mail:
            yield "email", f"{self.mail}@example.org"
        if self.hook:
            yield "webhook", f"{simulator}/hook/{self.hook}"


def _one(
    name: str,
    locale: str,
    phone: str = "",
    by: str = "",
    *,
    mail: str = "",
    hook: str = "",
    also: str = "",
    note: str = "",
) -> Example:
    """Read a line of the lists below; the mailbox `.` is the person's own name."""
    own = ".".join(name.lower().split())
    return Example(
        name=name,
        locale=locale,
        phone=phone,
        by=tuple(by.split()),
        mail=own if mail == "." else mail,
        hook=hook,
        also=also,
        note=note,
    )


PEOPLE: Mapping[str, tuple[Example, ...]] = MappingProxyType(
    {
        "north": (
            _one("Siti Rahayu", _ID, "2001", "sms voice", mail=".", also="staff"),
            _one("Budi Santoso", _ID, "2002", "sms voice"),
            _one("Dewi Lestari", _ID, "0001", "sms voice", note="Answers 1, by SMS and on a call."),
            _one("James Carter", _EN, "0002", "sms", mail=".", note="Answers 2 by SMS."),
            _one("Agus Wijaya", _ID, "1211", "sms", note="No such number: refused (21211)."),
            _one("Rina Kusuma", _ID, "0006", "sms", note="A landline: undelivered (30006)."),
            _one("Tono Hartono", _ID, "0033", "sms", note="Handset off at first (30003)."),
            _one("Hendra Gunawan", _ID, "0500", "sms", note="The provider answers 500: unknown."),
            _one("Emma Clarke", _EN, "0022", "voice", note="Voicemail answers."),
            _one("Joko Susilo", _ID, mail="reject+joko", note="No such mailbox (550 5.1.1)."),
            _one("Olivia Bennett", _EN, mail="bounce-later+olivia", note="Bounces a little later."),
            _one("Fitri Handayani", _ID, mail="greylist+fitri", note="Greylisted at first (450)."),
            _one("Bambang Prasetyo", _ID, "2010", "sms", note="Shares a phone with Sri Wahyuni."),
            _one("Sri Wahyuni", _ID, "2010", "sms", note="Shares a phone with Bambang Prasetyo."),
            _one("Mbah Karto", _ID, note="Has neither phone nor mailbox."),
            _one("Grace Mitchell", _EN, "0012", "sms", note="Every receipt comes twice."),
            _one("Eko Nugroho", _ID, "0013", "sms", note="Receipts come in the wrong order."),
            _one("Yuni Astuti", _ID, "2011", "sms", mail="."),
            _one("William Hughes", _EN, mail="."),
            _one("Rudi Hermawan", _ID, "2012", "voice"),
            _one("Ani Suryani", _ID, "2013", "sms", mail="."),
            _one("Sarah Thompson", _EN, "2014", "sms voice", mail=".", also="staff"),
            _one("Pintu Air Kali Semarang", _ID, hook="ok/pintu-air", note="A flood gate."),
            _one("Siren North", _EN, hook="503-then-ok/siren", note="Answers 503 at first."),
        ),
        "south": (
            _one("Wati Puspita", _ID, "3001", "sms voice", mail="."),
            _one("Dedi Kurniawan", _ID, "3002", "sms"),
            _one("Charlotte Evans", _EN, "3003", "sms", mail="."),
            _one("Slamet Riyadi", _ID, "3004", "voice"),
            _one("Nur Aini", _ID, "3005", "sms voice"),
            _one("Henry Walker", _EN, "3006", "sms"),
            _one("Lina Marlina", _ID, mail="."),
            _one("Andi Saputra", _ID, "3007", "sms", mail="."),
            _one(
                "Maya Anggraini", _ID, "0429", "sms", note="The provider asks to slow down (429)."
            ),
            _one("Arif Rahman", _ID, "0408", "sms", note="The provider takes it and hangs."),
            _one("Thomas Wright", _EN, "0502", "sms", note="The provider answers 500 once."),
            _one("Indah Permata", _ID, "0009", "sms", note="Answers STOP: opts out."),
            _one("Bayu Aditya", _ID, "0010", "sms", note="No receipt ever comes."),
            _one("Lucy Turner", _EN, "0011", "sms", note="The last receipt comes 30 s late."),
            _one("Teguh Wibowo", _ID, "0020", "voice", note="Busy; is called again."),
            _one("Ratna Sari", _ID, "0021", "voice", note="Does not answer; is called again."),
            _one("Daniel Foster", _EN, "0003", "sms", note="Handset off for good (30003)."),
            _one("Surya Pratama", _ID, mail="full+surya", note="Mailbox full (452); tried again."),
            _one("Putri Maharani", _ID, mail="vacation+putri", note="An automatic reply comes."),
            _one("Sophie Harris", _EN, mail="slow+sophie", note="Her mail server takes its time."),
            _one("Galih Ramadhan", _ID, mail="delayed+galih", note="A notice of delay comes."),
            _one("Kartini Utami", _ID, "3008", "sms"),
        ),
        "staff": (
            _one("Adi Nugraha", _ID, "4001", "sms voice", mail="."),
            _one("Bella Permatasari", _ID, "4002", "sms voice", mail="."),
            _one("Catherine Lewis", _EN, "4003", "sms voice", mail="."),
            _one("Dimas Setiawan", _ID, "4004", "sms", mail="."),
            _one("Edward Cooper", _EN, "4005", "sms", mail="."),
            _one("Farah Nabila", _ID, "4006", "sms", mail="."),
            _one("Gilang Maulana", _ID, "4007", "sms voice"),
            _one("Hannah Morris", _EN, "4008", "sms voice"),
            _one("Irfan Hakim", _ID, "4009", "sms", mail="."),
            _one("Julia Ward", _EN, "4010", "sms", mail="."),
            _one("Kiki Amelia", _ID, "4011", "sms"),
            _one("Lukman Hidayat", _ID, "4012", "sms voice", mail="."),
            _one("Mega Puspitasari", _ID, mail="."),
            _one("Oscar Bailey", _EN, "4013", "sms voice", mail="."),
        ),
    }
)
