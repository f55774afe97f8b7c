"""What an operator sets: `KENTONGAN_*`, checked whole before anything starts."""

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kentongan.cap_settings import CapSettings
from kentongan.comma_lists import split

PREFIX = "KENTONGAN_"

#: Read by the test suite alone; declared here so that they are no strangers.
TEST_VARIABLES = frozenset({"KENTONGAN_TEST_MATERIAL", "KENTONGAN_TEST_DATABASE_URL"})

#: What Docker links and Kubernetes services inject for a container that is called "kentongan".
_INJECTED = re.compile(
    r"KENTONGAN(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP)(_\w+)?)?)"
)
_LINK_VALUE = re.compile(r"(tcp|udp)://")

SettingsT = TypeVar("SettingsT", bound=BaseSettings)


class SettingsError(Exception):
    """A setting is unknown or bad; the message is the one sentence that an operator needs."""


class Settings(CapSettings):
    """The settings of the deployment; each channel has its own beside them."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore")

    organisation: str = Field(
        "Kentongan", description="Who speaks: shown in every e-mail and page."
    )
    data_dir: Path = Field(Path("data"), description="Where `kentongan up` keeps its state.")
    database_url: str = Field(
        "",
        repr=False,  # it may hold a password
        description="`postgresql://…` or `sqlite:///path`; empty: SQLite in the data folder.",
    )
    redis_url: str = Field(
        "",
        repr=False,  # it may hold a password
        description="`redis://`, `rediss://`, `unix://` or `sentinel://host,host/name`; the user "
        "and password are percent-decoded. `kentongan up` fills it in.",
    )
    secret_key: Annotated[list[SecretStr], NoDecode] = Field(
        default_factory=list,
        description="At least 32 characters; a comma-separated list, the first signs, all verify.",
    )
    public_url: str = Field(
        "",
        description="How providers and people reach the service, `https://…`; signatures use it.",
    )
    http_host: str = Field("127.0.0.1", description="Address that the service binds.")
    http_port: int = Field(8080, ge=0, le=65535, description="Port of the service.")
    metrics_port: int = Field(0, ge=0, le=65535, description="Port of /metrics; 0: none.")
    hosts: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Further Host names that the service answers to, beside its own and the public "
        "one; all others get 421.",
    )
    default_locale: str = Field("id", description="Locale of people who have none.")
    default_region: str = Field(
        "ID", pattern="^[A-Z]{2}$", description="Country that reads phone numbers without a +."
    )
    countries: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Countries (ISO 3166) that SMS and calls may go to; empty: all. Numbers "
        "elsewhere are refused where they are entered; what an extreme alert is given goes out.",
    )
    simulator_url: str = Field(
        "", description="The simulator, for mode `test`; empty: `test` alerts are refused."
    )
    simulator_port: int = Field(8090, ge=0, le=65535, description="Port of `kentongan simulator`.")
    simulator_smtp_port: int = Field(
        0, ge=0, le=65535, description="SMTP port of the simulator; 0: the one after its own."
    )
    workers: int = Field(2, ge=1, le=64, description="How many workers `kentongan up` starts.")
    flash_slots: int = Field(20, ge=1, description="Jobs of the flash lane at once, per worker.")
    routine_slots: int = Field(
        10, ge=1, description="Jobs of the routine lane at once, per worker."
    )
    send_slots: int = Field(200, ge=1, description="Sends in flight at once, per worker and lane.")
    log_level: str = Field(
        "INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Least level that is logged."
    )
    clock_offset: float = Field(
        0, description="Seconds added to the ledger's clock; for rehearsals and tests alone."
    )

    @field_validator("secret_key", "hosts", "countries", mode="before")
    @classmethod
    def _read_list(cls, value: object) -> object:
        return split(value)

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, value: list[SecretStr]) -> list[SecretStr]:
        if any(len(key.get_secret_value()) < 32 for key in value):
            raise ValueError("each key needs at least 32 characters")
        return value

    @field_validator("public_url", "simulator_url")
    @classmethod
    def _bare_url(cls, value: str) -> str:
        if value and not re.fullmatch(r"https?://[^/?#\s]+(/[^?#\s]*)?", value):
            raise ValueError("write it as https://host[:port][/path]")
        return value.rstrip("/")


def load(kind: type[SettingsT], environ: Mapping[str, str], prefix: str = "") -> SettingsT:
    """Read one class of settings from `environ` (which `read_files` has completed).

    `prefix` begins its names instead of the class's own. Raises `SettingsError` with one sentence
    that names the variable.
    """
    prefix = prefix or kind.model_config.get("env_prefix", "")
    given = {
        name.removeprefix(prefix).lower(): value
        for name, value in environ.items()
        if name.startswith(prefix) and name.removeprefix(prefix).lower() in kind.model_fields
    }
    try:
        # As arguments, they win over the process's environment, which is what tests rely on.
        return kind(_env_file=None, _env_prefix=prefix, **given)  # type: ignore[arg-type]  # strings; pydantic parses
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = prefix + "_".join(str(part) for part in first["loc"][:1]).upper()
        said = first["msg"].removeprefix("Value error, ")
        word = "is missing" if first["type"] == "missing" else f"cannot be used: {said}"
        raise SettingsError(f"{name} {word}.") from None


def read_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Replace each `KENTONGAN_X_FILE` by `KENTONGAN_X` with the file's content, stripped."""
    complete = dict(environ)
    for name, path in environ.items():
        if not name.startswith(PREFIX) or not name.endswith("_FILE"):
            continue
        target = name.removesuffix("_FILE")
        if target in environ:
            raise SettingsError(f"{target} and {name} are both set; keep one of them.")
        try:
            complete[target] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{name} names a file that cannot be read ({path}).") from error
        del complete[name]
    return complete


def names_of(kind: type[BaseSettings], prefix: str = "") -> frozenset[str]:
    """Return the environment names that a class of settings reads, after its own prefix or this."""
    prefix = prefix or kind.model_config.get("env_prefix", "")
    return frozenset(f"{prefix}{field}".upper() for field in kind.model_fields)


def refuse_strangers(
    kinds: Iterable[type[BaseSettings]],
    environ: Mapping[str, str],
    more: Iterable[str] = (),
) -> None:
    """Raise `SettingsError` for a `KENTONGAN_*` name that nothing reads; `more` are read as well.

    pydantic passes misspelt names over in silence, and an officer's alert would then go out with a
    default where a setting was meant.
    """
    known = TEST_VARIABLES.union(more, *(names_of(kind) for kind in kinds))
    for name, value in sorted(environ.items()):
        if not name.startswith(PREFIX) or name in known or _is_injected(name, value):
            continue
        near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
        hint = f"did you mean {near[0]}?" if near else "docs/configuration.md lists them all."
        raise SettingsError(f"{name} is no setting of Kentongan; {hint}")


def _is_injected(name: str, value: str) -> bool:
    if not _INJECTED.fullmatch(name):
        return False
    # A bare KENTONGAN_PORT=8080 is somebody's mistake for KENTONGAN_HTTP_PORT, not a link.
    return bool(_LINK_VALUE.match(value) or re.search(r"_SERVICE_|_\d+_(TCP|UDP)_", name))
