"""What the API's parts about people share: texts, contact points, names of groups."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from channels import AnyChannel
from kentongan.channel import AddressError
from kentongan.recipient import GROUP_NAME, LOCALE, LONGEST_ADDRESS, LONGEST_NAME, LONGEST_NOTE
from service.calls import Call
from service.web.bodies import id_pattern
from service.web.problems import Fault, fault
from templates.clean import clean, one_line

LONGEST_EXTERNAL_ID = 200


def _shown(text: str) -> str:
    shown = one_line(text)
    if not shown:
        raise fault("There is nothing to read in it.", "Write a name.")
    return shown


def _group_name(name: str) -> str:
    if name.startswith("grp_"):
        raise fault("A group's name cannot begin with grp_, as ids do.", "Choose another.")
    return name


RecipientIdText = Annotated[str, Field(pattern=id_pattern("rcp_"))]
GroupIdText = Annotated[str, Field(pattern=id_pattern("grp_"))]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_shown)]
Title = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(one_line)]
Note = Annotated[str, Field(max_length=LONGEST_NOTE), AfterValidator(clean)]
Why = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_shown)]
ExternalId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_EXTERNAL_ID,
        description="Your own name for them, as in your directory; an import matches by it.",
    ),
    AfterValidator(_shown),
]
Locale = Annotated[
    str,
    Field(
        max_length=40,
        pattern=rf"^{LOCALE.pattern}$",
        description="The language they are told in: `id`, `en`, `en-GB`.",
    ),
]
GroupName = Annotated[
    str,
    Field(max_length=63, pattern=rf"^{GROUP_NAME.pattern}$", description="`north`, `first-aiders`"),
    AfterValidator(_group_name),
]
ChannelName = Annotated[str, Field(min_length=1, max_length=40, description="`sms`, `email` …")]
Address = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_ADDRESS,
        description="Brought into the channel's normal form: a phone number into E.164, say.",
    ),
]


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with one thing, and how to mend it."""

    problem: str
    fix: str

    def at(self, where: str, part: Literal["query", "body"] = "body") -> Fault:
        """Return it as a fault of the request."""
        return Fault(where=part, at=where, problem=self.problem, fix=self.fix)


def known_channels(call: Call) -> Mapping[str, AnyChannel]:
    """Return the channels that somebody can be reached on here, by name."""
    return {**call.house.practising, **call.house.channels}


def normal_address(channels: Mapping[str, AnyChannel], channel: str, address: str) -> str | Wrong:
    """Return the address in its channel's normal form, or what keeps it from having one."""
    if channel not in channels:
        return unknown_channel(channels)
    try:
        return channels[channel].check(address)
    except AddressError as error:
        return wrong_address(channel, str(error))


def unknown_channel(channels: Mapping[str, AnyChannel]) -> Wrong:
    """Return the complaint about a channel that is not configured here."""
    listed = ", ".join(sorted(channels))
    return Wrong(
        "There is no such channel here.", f"Use one of {listed}." if listed else "Configure one."
    )


def wrong_address(channel: str, said: str) -> Wrong:
    """Read a channel's sentence; some say `is no …; write it as …`, others just how to mend it."""
    what, semicolon, fix = said.partition("; ")
    if semicolon and what.startswith("is "):
        return Wrong(f"This {what}.", _sentence(fix))
    return Wrong(f"The {channel} channel cannot use this address.", _sentence(said))


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def unknown_group(name: str) -> Wrong:
    """Return the complaint about a group that does not exist."""
    return Wrong(f"There is no group {name}.", "Make it with POST /v1/groups, or mend the name.")
