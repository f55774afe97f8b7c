"""What an operator sets to bound messages and money; part of the deployment's settings."""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kentongan import person_rate
from kentongan.caps import Caps
from kentongan.comma_lists import split
from kentongan.spending import Period, Prices, read_amount


class CapSettings(BaseSettings):
    """Rates, prices and caps as they are written; `caps` is what they mean."""

    model_config = SettingsConfigDict(env_prefix="KENTONGAN_", extra="ignore")

    time_zone: str = Field(
        "UTC", description="IANA name of the zone in whose days and months spending is counted."
    )
    person_rate: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="The most messages that one contact point gets, `channel=most/span`: "
        "`sms=5/15m,sms=11/1h,voice=3/15m`; spans in s, m, h, d. `standard`: 1 a minute by SMS, "
        "call and email, SMS 5 in 15 min, 11 an hour, 21 in 3 h, calls 3, 7 and 15. Empty: no "
        "limit. Never holds up what is extreme, nor corrections and all clears.",
    )
    prices: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="What one unit costs (an SMS segment, a call, a message), by channel and by "
        "prefix of a number: `sms=0.05,sms+62=0.03,voice=0.02`. Empty: costs are not counted.",
    )
    currency: str = Field(
        "USD", pattern="^[A-Z]{3}$", description="Currency (ISO 4217) of prices and caps."
    )
    spend_per_day: str = Field(
        "",
        description="What may be spent in a day, such as `50`: then messages wait for the next. "
        "Never holds up what is extreme, nor corrections and all clears. Empty: no cap.",
    )
    spend_per_month: str = Field("", description="The same in a calendar month.")

    @field_validator("person_rate", "prices", mode="before")
    @classmethod
    def _read_entries(cls, value: object) -> object:
        return split(value)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("write an IANA name such as Asia/Jakarta") from None
        return value

    @field_validator("person_rate")
    @classmethod
    def _rates(cls, value: list[str]) -> list[str]:
        person_rate.parse(value)
        return value

    @field_validator("prices")
    @classmethod
    def _priced(cls, value: list[str]) -> list[str]:
        Prices.parse(value)
        return value

    @field_validator("spend_per_day", "spend_per_month")
    @classmethod
    def _amount(cls, value: str, info: ValidationInfo) -> str:
        if value and not info.data.get("prices"):
            raise ValueError("without KENTONGAN_PRICES nobody knows what is spent; set them too")
        if value and not read_amount(value):
            raise ValueError("nothing would ever be sent; leave it empty for no cap")
        return value

    @property
    def caps(self) -> Caps:
        """What these settings bound."""
        most = {Period.DAY: self.spend_per_day, Period.MONTH: self.spend_per_month}
        return Caps(
            person_rate=person_rate.parse(self.person_rate),
            prices=Prices.parse(self.prices),
            currency=self.currency,
            most={period: read_amount(amount) for period, amount in most.items() if amount},
            zone=ZoneInfo(self.time_zone),
        )
