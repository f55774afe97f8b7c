"""What the recipient's page says itself, around an alert's own words."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from kentongan.alert import Severity
from templates.language import Language


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """Everything in one language. Places in braces are filled where they are shown."""

    severities: Mapping[Severity, str]
    update: str
    withdrawn: str
    replaced: str
    expired: str
    question: str
    acknowledged: str
    send: str
    received: str
    added: str
    again: str
    both_shown: str
    nothing_chosen: str
    stop: str
    stop_title: str
    stop_question: str
    stop_warning: str
    stop_yes: str
    stop_no: str
    stopped: str
    stop_test: str
    missing_title: str
    missing: str
    over_title: str
    over: str
    busy_title: str
    busy: str
    away_title: str
    away: str


ENGLISH = Words(
    severities={
        Severity.EXTREME: "Extreme",
        Severity.SEVERE: "Severe",
        Severity.MODERATE: "Moderate",
        Severity.MINOR: "Minor",
    },
    update="Update",
    withdrawn="Earlier warning withdrawn",
    replaced="A newer message replaces this one. Follow the newer one.",
    expired="This message is no longer current.",
    question="Your answer",
    acknowledged="I have read this message",
    send="Send answer",
    received="Your answer has been received:",
    added="You added later:",
    again="Has something changed? Answer again",
    both_shown="Your first answer counts. A later one is kept and shown to the team beside it.",
    nothing_chosen="Nothing was sent. Choose an answer first.",
    stop="Stop messages to {address}",
    stop_title="Stop messages?",
    stop_question="Do you want no more messages to {address}?",
    stop_warning="You will then get no warnings there any more, not even in an emergency. This "
    "holds for everyone who shares this address.",
    stop_yes="Yes, stop messages",
    stop_no="No, go back",
    stopped="Messages to {address} are stopped. If you want them again, ask {organisation}.",
    stop_test="This is only a test. Nothing was stopped.",
    missing_title="There is no such page",
    missing="Check that you have copied the whole link.",
    over_title="This page is closed",
    over="The message is over, and its page with it. If you need help now, call the emergency "
    "services.",
    busy_title="Too many requests",
    busy="Wait a minute, then try again.",
    away_title="Not reachable at the moment",
    away="Nothing was stored. Wait a moment, then try again. If you need help now, call the "
    "emergency services.",
)

INDONESIAN = Words(
    severities={
        Severity.EXTREME: "Ekstrem",
        Severity.SEVERE: "Parah",
        Severity.MODERATE: "Sedang",
        Severity.MINOR: "Ringan",
    },
    update="Pembaruan",
    withdrawn="Peringatan sebelumnya dicabut",
    replaced="Pesan ini sudah diganti dengan pesan yang lebih baru. Ikuti pesan yang baru.",
    expired="Pesan ini sudah tidak berlaku.",
    question="Jawaban Anda",
    acknowledged="Saya sudah membaca pesan ini",
    send="Kirim jawaban",
    received="Jawaban Anda sudah diterima:",
    added="Kemudian Anda menambahkan:",
    again="Ada yang berubah? Jawab lagi",
    both_shown="Jawaban pertama Anda yang dihitung. Jawaban berikutnya disimpan dan ditampilkan "
    "kepada tim di samping jawaban pertama.",
    nothing_chosen="Belum ada yang terkirim. Pilih jawaban terlebih dahulu.",
    stop="Hentikan pesan ke {address}",
    stop_title="Hentikan pesan?",
    stop_question="Anda tidak ingin menerima pesan lagi di {address}?",
    stop_warning="Setelah itu tidak ada lagi peringatan yang dikirim ke sana, juga dalam keadaan "
    "darurat. Ini berlaku bagi semua orang yang memakai alamat tersebut.",
    stop_yes="Ya, hentikan pesan",
    stop_no="Tidak, kembali",
    stopped="Pesan ke {address} sudah dihentikan. Jika ingin menerimanya lagi, hubungi "
    "{organisation}.",
    stop_test="Ini hanya uji coba. Tidak ada yang dihentikan.",
    missing_title="Halaman tidak ditemukan",
    missing="Pastikan seluruh tautan sudah disalin.",
    over_title="Halaman ini sudah ditutup",
    over="Pesan ini sudah berakhir, begitu pula halamannya. Jika Anda perlu bantuan sekarang, "
    "hubungi layanan darurat.",
    busy_title="Terlalu banyak permintaan",
    busy="Tunggu satu menit, lalu coba lagi.",
    away_title="Sedang tidak dapat dihubungi",
    away="Belum ada yang tersimpan. Tunggu sebentar, lalu coba lagi. Jika Anda perlu bantuan "
    "sekarang, hubungi layanan darurat.",
)

WORDS: Mapping[Language, Words] = MappingProxyType({"en": ENGLISH, "id": INDONESIAN})
