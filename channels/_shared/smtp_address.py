"""E-mail addresses in their one normal form."""

import re

from email_validator import EmailNotValidError, validate_email

from kentongan.channel import AddressError

#: RFC 5321, section 4.5.3.1.3: a path has at most 256 octets, brackets included.
_LONGEST_ADDRESS = 254
#: What is normal as it stands, if its domain is: lower case, since a few names (postmaster) are
#: folded, and nothing that means anything to SMTP or to a header.
_PLAIN = re.compile(r"(?=[^@]{1,64}@)[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@([a-z0-9.-]+)")
#: Domains that are kept.
_MOST_DOMAINS = 10_000


def normal_address(address: str) -> str:
    """Return an e-mail address with its domain in ASCII and lower case.

    Letters beyond ASCII before the @ stay, and need a relay with SMTPUTF8. Asks no DNS. Raises
    `AddressError`.
    """
    if len(address) > 320 or not address.isprintable():
        raise AddressError("an e-mail address is at most 254 printable characters")
    try:
        # `test_environment` only lets names under .test through, which rehearsals use.
        valid = validate_email(
            address.strip(), check_deliverability=False, strict=True, test_environment=True
        )
    except EmailNotValidError as error:
        raise AddressError(str(error)) from None
    normal = f"{valid.local_part}@{valid.ascii_domain}"
    if len(normal.encode()) > _LONGEST_ADDRESS or "." not in valid.ascii_domain:
        raise AddressError("write the address as name@example.org, at most 254 characters")
    return normal


def xtext(text: str) -> str:
    """Encode a parameter as RFC 3461, section 4, asks: `+`, `=` and what is not printable ASCII."""
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)


class Addresses:
    """Reads addresses that `normal_address` made, and takes nothing that it would not.

    Domains that it took as they stood are kept: most people share theirs with others, and looking
    at one again takes longer than all else that is done for a letter.
    """

    def __init__(self) -> None:
        self._domains: set[str] = set()

    def read(self, address: str) -> str:
        """Return what `normal_address` returns; raises what it raises."""
        plain = _PLAIN.fullmatch(address)
        if plain and plain[1] in self._domains and len(address) <= _LONGEST_ADDRESS:
            return address
        normal = normal_address(address)
        if plain and normal == address and len(self._domains) < _MOST_DOMAINS:
            self._domains.add(plain[1])
        return normal
