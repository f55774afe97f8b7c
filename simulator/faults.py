"""The provider's numbered errors, and the JSON that carries them.

https://www.twilio.com/docs/api/errors
"""

from dataclasses import dataclass

from aiohttp import web

MEANING = {
    20001: "Unknown parameters",
    20003: "Authenticate",
    20005: "Account not active",
    20404: "The requested resource was not found",
    20405: "Method not allowed",
    20422: "Invalid parameter",
    20429: "Too many requests",
    20500: "Internal server error",
    20503: "Service unavailable",
    21201: "No 'To' number is specified",
    21205: "A 'Url' or 'Twiml' is required",
    21211: "Invalid 'To' phone number",
    21212: "Invalid 'From' number",
    21213: "A 'From' phone number is required",
    21214: "'To' phone number cannot be reached",
    21215: "Account not authorized to call this country",
    21220: "Call is not in-progress",
    21408: "Permission to send an SMS has not been enabled for the region of the 'To' number",
    21602: "Message body is required",
    21603: "A 'From' phone number or a 'MessagingServiceSid' is required",
    21604: "A 'To' phone number is required",
    21609: "The 'StatusCallback' URL is not a valid URL",
    21610: "Attempt to send to unsubscribed recipient",
    21614: "'To' number is not a valid mobile number",
    21617: "The concatenated message body exceeds the 1600 character limit",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Carrier violation",
    30008: "Unknown error",
    30036: "Validity period expired",
    30409: "Message cannot be canceled",
}

#: Errors whose HTTP status is not 400.
STATUS = {20003: 401, 20005: 403, 20404: 404, 20405: 405, 20429: 429, 20500: 500, 20503: 503}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a request: the provider's code, and what it says beside its meaning."""

    code: int
    detail: str = ""

    def answer(self) -> web.Response:
        status = STATUS.get(self.code, 400)
        message = MEANING.get(self.code, "Error")
        body = {
            "code": self.code,
            "message": f"{message}: {self.detail}" if self.detail else message,
            "more_info": f"https://www.twilio.com/docs/errors/{self.code}",
            "status": status,
        }
        headers = {}
        if status == 429:
            headers["Retry-After"] = "1"
        if status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="Twilio API"'
        return web.json_response(body, status=status, headers=headers)
