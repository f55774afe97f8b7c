"""The settings of one run: environment and secret files, checked whole, gaps filled in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from channels import discover, names_in
from cli.errors import CommandError, Exit
from kentongan.settings import Settings, SettingsError, load, read_files, refuse_strangers


@dataclass(frozen=True, slots=True, kw_only=True)
class Configured:
    """What a process runs with. `environ` has the content of `…_FILE`s in place of their names."""

    settings: Settings
    environ: Mapping[str, str] = field(repr=False)

    @property
    def data(self) -> Path:
        """The data folder, absolute."""
        return self.settings.data_dir


def configured(environ: Mapping[str, str]) -> Configured:
    """Read and check every setting; raise `SettingsError` with the sentence that names the bad one.

    An empty database URL becomes that of the SQLite file in the data folder.
    """
    complete = read_files(environ)
    kinds = [kind.settings_type for kind in discover().values()]
    refuse_strangers([Settings, *kinds], complete, names_in(complete))
    settings = load(Settings, complete)
    _refuse_unknown_channels(settings)
    data = settings.data_dir.expanduser().absolute()
    database = settings.database_url or f"sqlite:///{data / 'ledger.db'}"
    filled = settings.model_copy(update={"data_dir": data, "database_url": database})
    return Configured(settings=filled, environ=complete)


def _refuse_unknown_channels(settings: Settings) -> None:
    """A misspelt channel would be bounded by nothing, and nobody would notice before the bill."""
    for setting, name in settings.caps.strangers(discover().keys()):
        raise SettingsError(
            f"KENTONGAN_{setting.upper()} names {name}, which is no channel; "
            f"there are {', '.join(sorted(discover()))}."
        )


def needed(run: Configured, *fields: str) -> None:
    """Raise `CommandError` for the first of these settings that is not set."""
    for name in fields:
        if not getattr(run.settings, name):
            raise CommandError(
                f"KENTONGAN_{name.upper()} is not set; a single process needs it"
                " (`kentongan up` brings everything that is needed to try).",
                Exit.USAGE,
            )
