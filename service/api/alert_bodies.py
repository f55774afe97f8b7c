"""What a request for an alert looks like, in CAP 1.2's words where CAP has one."""

from typing import Annotated, TypeAlias

from pydantic import Field

from kentongan.alert import AlertType, Category, Certainty, Mode, Severity, Urgency
from kentongan.audience import Who
from kentongan.recipient import LOCALE, LONGEST_ADDRESS
from service.web.bodies import Body, InstantOrLocal, id_pattern

AlertIdText = Annotated[str, Field(pattern=id_pattern("alr_"))]
RecipientIdText = Annotated[str, Field(pattern=id_pattern("rcp_"))]
LocaleText = Annotated[str, Field(pattern=rf"^{LOCALE.pattern}$")]
Text = Annotated[str, Field(min_length=1, max_length=20_000)]
ChannelName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
BlankName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
BlankValue = Annotated[str, Field(max_length=1000)]

#: A plain text serves everyone, whatever they speak; texts by locale serve each their own.
Localised: TypeAlias = Text | Annotated[dict[LocaleText, Text], Field(min_length=1, max_length=20)]


class NewPoint(Body):
    """One contact point of nobody we know."""

    channel: ChannelName
    address: Annotated[str, Field(min_length=1, max_length=LONGEST_ADDRESS)]
    locale: LocaleText | None = None


class NewOf(Body):
    """People of an earlier alert."""

    alert: AlertIdText
    who: Who


class NewAudience(Body):
    """Whom it is for: all of these, each once."""

    groups: list[Annotated[str, Field(min_length=1, max_length=63)]] = Field(
        default_factory=list, max_length=1000, description="Names (`north`) or ids (`grp_…`)."
    )
    recipients: list[RecipientIdText] = Field(default_factory=list, max_length=10_000)
    points: list[NewPoint] = Field(default_factory=list, max_length=10_000)
    of: NewOf | None = None


#: What somebody may have answered: an option's key, or nothing but that they have read it.
ResponseText = Annotated[str, Field(pattern="^[1-9]?$")]


class NewOption(Body):
    """An answer that people may choose by its digit."""

    key: Annotated[str, Field(pattern="^[1-9]$")]
    label: Localised


class NewAlert(Body):
    """An alert as it is asked for."""

    mode: Mode = Field(
        description="Fixed here for good: `exercise` and `test` are marked as such on every "
        "channel; `test` only goes to the simulator."
    )
    type: AlertType = AlertType.ALERT
    references: list[AlertIdText] = Field(
        default_factory=list,
        max_length=20,
        description="The earlier alerts that an update or a cancel is about.",
    )
    stop_original: bool = Field(
        default=False,
        description="Makes an update a correction: it stops what it references and goes to exactly "
        "those who may have got that. A cancel always does.",
    )
    severity: Severity = Severity.UNKNOWN
    urgency: Urgency = Urgency.UNKNOWN
    certainty: Certainty = Certainty.UNKNOWN
    category: list[Category] = Field(default_factory=list, max_length=12)
    headline: Localised | None = Field(
        None, description="Left out: the template's, or the beginning of the text."
    )
    text: Localised | None = Field(
        None,
        description="What it says; this or `template`. A plain text goes to everyone as it is, "
        "with the mark of a drill and how to answer in each person's own language.",
    )
    channel_text: dict[ChannelName, Localised] = Field(
        default_factory=dict, max_length=20, description="Where a channel says it in other words."
    )
    template: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")] | None = Field(
        None, description="The name of a ready text."
    )
    blanks: dict[BlankName, BlankValue] = Field(
        default_factory=dict, max_length=100, description="What stands for each `((blank))`."
    )
    audience: NewAudience | None = Field(
        None, description="Left out for a correction, which has that of its original."
    )
    channels: list[ChannelName] | None = Field(
        None, min_length=1, max_length=20, description="Left out: all that are configured."
    )
    options: list[NewOption] = Field(default_factory=list, max_length=9)
    send_at: InstantOrLocal | None = Field(
        None,
        description="Left out: at once. With an offset, or as the clocks of `zone` show it.",
    )
    zone: Annotated[str, Field(min_length=1, max_length=64)] | None = Field(
        None,
        description="The IANA time zone of `send_at`, as `Asia/Jakarta`; it is kept and shown.",
    )
    expires_in: int | None = Field(
        None,
        description="Seconds from now after which nothing of it is sent; left out: 4 h after it is "
        "sent for extreme and severe, else 24 h. At most 7 days after it is sent.",
    )
    source: Annotated[str, Field(max_length=200)] = Field(
        "", description="Where it comes from, for people to read: `officer`, a sensor's name."
    )
