"""What Twilio's published schema lets a request say, as two small tables.

Names and types are those of its OpenAPI document (twilio-oai, 2010-04-01); bounds that it leaves
to prose come from the resource pages of the documentation.
"""

import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from simulator.faults import Fault
from simulator.twiml import TwimlError, parse

#: Says what is wrong with a value, or nothing.
Rule = Callable[[str], str]

#: A form: names with all their values, in order.
Form = Mapping[str, list[str]]

_HOST = re.compile(r"(?i)[a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_E164 = re.compile(r"\+[1-9]\d{6,14}")
_SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 +_&-]{1,11}")


def is_number(text: str) -> bool:
    """Say whether it is a phone number in E.164."""
    return _E164.fullmatch(text) is not None


def is_sender(text: str) -> bool:
    """Say whether SMS can come from it: E.164, a short code or a name of at most 11 characters."""
    return _SENDER.fullmatch(text) is not None


def _text(most: int = 65_536) -> Rule:
    return lambda value: "" if len(value) <= most else f"is longer than {most} characters"


def _whole(low: int, high: int) -> Rule:
    def rule(value: str) -> str:
        if re.fullmatch(r"-?\d{1,9}", value, re.ASCII) and low <= int(value) <= high:
            return ""
        return f"is not a whole number from {low} to {high}"

    return rule


def _one_of(*words: str) -> Rule:
    return lambda value: "" if value in words else f"is none of {', '.join(words)}"


def _sid(prefix: str) -> Rule:
    pattern = re.compile(rf"{prefix}[0-9a-fA-F]{{32}}")
    return lambda value: "" if pattern.fullmatch(value) else f"is no {prefix} SID"


def _number(value: str) -> str:
    return "" if re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII) else "is not a number"


def _moment(value: str) -> str:
    pattern = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
    return "" if re.fullmatch(pattern, value, re.ASCII) else "is not an ISO 8601 time"


def url(value: str) -> str:
    """Say what is wrong with an absolute URL: the host may hold no underscore."""
    if len(value) > 4000:
        return "is longer than 4000 characters"
    try:
        parts = urlsplit(value)
        host, _ = parts.netloc.rpartition("@")[2], parts.port
    except ValueError:
        return "is not a URL"
    host = re.sub(r":\d+$", "", host)
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host):
        return "is not an absolute http or https URL"
    return "" if value.isascii() and value.isprintable() and " " not in value else "is not a URL"


def _twiml(value: str) -> str:
    if len(value) > 4000:
        return "is longer than 4000 characters"
    try:
        parse(value)
    except TwimlError as error:
        return str(error)
    return ""


_flag = _one_of("true", "false", "True", "False")
_method = _one_of("GET", "POST")
_event = _one_of("initiated", "ringing", "answered", "completed")

MESSAGE: dict[str, Rule] = {
    "To": _text(),
    "StatusCallback": url,
    "ApplicationSid": _sid("AP"),
    "MaxPrice": _number,
    "ProvideFeedback": _flag,
    "Attempt": _whole(1, 1000),
    "ValidityPeriod": _whole(1, 36_000),
    "ForceDelivery": _flag,
    "ContentRetention": _one_of("retain", "discard"),
    "AddressRetention": _one_of("retain", "obfuscate"),
    "SmartEncoded": _flag,
    "PersistentAction": _text(),
    "TrafficType": _one_of("free"),
    "ShortenUrls": _flag,
    "ScheduleType": _one_of("fixed"),
    "SendAt": _moment,
    "SendAsMms": _flag,
    "ContentVariables": _text(),
    "RiskCheck": _one_of("enable", "disable"),
    "From": _text(),
    "FallbackFrom": _text(),
    "MessagingServiceSid": _sid("MG"),
    "Body": _text(1600),
    "MediaUrl": url,
    "ContentSid": _sid("HX"),
}

CALL: dict[str, Rule] = {
    "To": _text(),
    "From": _text(),
    "Method": _method,
    "FallbackUrl": url,
    "FallbackMethod": _method,
    "StatusCallback": url,
    "StatusCallbackEvent": _event,
    "StatusCallbackMethod": _method,
    "SendDigits": _text(32),
    "Timeout": _whole(1, 600),
    "Record": _flag,
    "RecordingChannels": _one_of("mono", "dual"),
    "RecordingStatusCallback": url,
    "RecordingStatusCallbackMethod": _method,
    "SipAuthUsername": _text(),
    "SipAuthPassword": _text(),
    "MachineDetection": _one_of("Enable", "DetectMessageEnd"),
    "MachineDetectionTimeout": _whole(3, 59),
    "RecordingStatusCallbackEvent": _one_of("in-progress", "completed", "absent"),
    "Trim": _one_of("trim-silence", "do-not-trim"),
    "CallerId": _text(),
    "MachineDetectionSpeechThreshold": _whole(1000, 6000),
    "MachineDetectionSpeechEndThreshold": _whole(500, 5000),
    "MachineDetectionSilenceTimeout": _whole(2000, 10_000),
    "AsyncAmd": _flag,
    "AsyncAmdStatusCallback": url,
    "AsyncAmdStatusCallbackMethod": _method,
    "Byoc": _sid("BY"),
    "CallReason": _text(50),
    "CallToken": _text(),
    "RecordingTrack": _one_of("inbound", "outbound", "both"),
    "TimeLimit": _whole(1, 86_400),
    "ClientNotificationUrl": url,
    "Url": url,
    "Twiml": _twiml,
    "ApplicationSid": _sid("AP"),
}

#: Parameters that may come more than once.
REPEATED = {"StatusCallbackEvent", "RecordingStatusCallbackEvent", "MediaUrl", "PersistentAction"}

#: Codes of their own; whatever else is wrong is 20422.
CODE_OF = {"StatusCallback": 21609, "Body": 21617}


def fault_in(form: Form, table: Mapping[str, Rule]) -> Fault | None:
    """Return the first thing in a form that the table does not allow."""
    for name, values in form.items():
        rule = table.get(name)
        if rule is None:
            return Fault(20422, f"{name} is no parameter of this resource")
        if len(values) > 1 and name not in REPEATED:
            return Fault(20422, f"{name} is given {len(values)} times")
        for value in values:
            if complaint := rule(value):
                return Fault(CODE_OF.get(name, 20422), f"{name} {complaint}")
    return None


def fault_in_message(form: Form) -> Fault | None:
    """Return why a message cannot be created."""
    sender = first(form, "From")
    return (
        _lacking(form, 21604, "To")
        or _lacking(form, 21603, "From", "MessagingServiceSid")
        or _lacking(form, 21602, "Body", "MediaUrl", "ContentSid")
        or fault_in(form, MESSAGE)
        or _unless(is_number(first(form, "To")), 21211)
        or _unless(not sender or is_sender(sender), 21212)
    )


def fault_in_call(form: Form) -> Fault | None:
    """Return why a call cannot be created."""
    return (
        _lacking(form, 21201, "To")
        or _lacking(form, 21213, "From")
        or _lacking(form, 21205, "Url", "Twiml", "ApplicationSid")
        or fault_in(form, CALL)
        or _unless(is_number(first(form, "To")), 21211)
        or _unless(is_number(first(form, "From")), 21212)
    )


def _lacking(form: Form, code: int, *names: str) -> Fault | None:
    return _unless(any(first(form, name) for name in names), code)


def _unless(is_good: bool, code: int) -> Fault | None:  # noqa: FBT001 - reads as a sentence
    return None if is_good else Fault(code)


def first(form: Form, name: str) -> str:
    """Return the first value of a parameter, empty if it is not given."""
    return form.get(name, [""])[0]
