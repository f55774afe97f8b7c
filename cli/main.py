"""The `kentongan` command: reads the line, loads the one module that does it, says how it ended.

Nothing of ours is imported before the command is known, so that `--help` and a typing mistake are
answered at once and `up` starts quickly.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from cli.errors import CommandError, Exit
from kentongan import __version__

EXAMPLES = """\
examples:
  kentongan up                        everything on this machine, with carriers that reach nobody
  kentongan serve                     the service alone (KENTONGAN_DATABASE_URL, _REDIS_URL)
  kentongan worker                    one worker alone; start as many as you need
  kentongan doctor                    what is wrong with this installation, and what to do
  kentongan user add --login siti     somebody who may log in to the console
  kentongan db upgrade                bring the ledger to this version's schema

exit codes: 0 done, 1 unexpected or unhealthy, 2 called or configured wrongly, 3 invalid input,
4 not allowed, 5 not found, 8 database, queue, provider or network away, 9 books out of balance
or the audit not whole, 130 interrupted
"""


@dataclass(frozen=True, slots=True)
class Option:
    """An option of one command."""

    flag: str
    help: str
    default: str | None = None
    is_flag: bool = False


JSON = Option("--json", "print JSON", is_flag=True)
LOGIN = Option("--login", "whose")
#: Which dead letters; all that fit everything that is given.
DEAD = (
    Option("--alert", "those of one alert"),
    Option("--channel", "those of one channel"),
    Option("--reason", "those that failed for one reason, such as bug or poison"),
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its words, and the function that does it, imported when it is called."""

    words: str
    does: str  # "module:function", a function of (argparse.Namespace, environ) -> exit code
    help: str
    options: tuple[Option, ...] = ()


COMMANDS = (
    Command("up", "cli.up:up", "run everything here, with simulated carriers"),
    Command("serve", "cli.serve:serve", "run the service"),
    Command("worker", "cli.worker:worker", "run one worker"),
    Command("simulator", "cli.simulator:simulator", "run the simulated carriers"),
    Command("db upgrade", "cli.db:upgrade", "bring the ledger to this version's schema"),
    Command("doctor", "cli.doctor:doctor", "check this installation", (JSON,)),
    Command(
        "ledger check",
        "cli.ledger_check:check",
        "see whether the books balance",
        (Option("--simulator", "URL of the simulator that carries everything; its book too"), JSON),
    ),
    Command("dead list", "cli.dead:list_dead", "list what was given up, and why", (*DEAD, JSON)),
    Command(
        "dead replay",
        "cli.dead:replay",
        "try dead letters again",
        (
            *DEAD,
            Option("--delivery", "one by its id"),
            Option(
                "--even-if-got", "also those who may have got it, perhaps twice then", is_flag=True
            ),
            JSON,
        ),
    ),
    Command("config docs", "cli.config_docs:docs", "print every setting as Markdown"),
    Command(
        "key create",
        "cli.key:create",
        "make an API key; it is shown once",
        (
            Option("--name", "whom or what it is for", "command line"),
            Option("--role", "officer, integration, auditor or admin", "admin"),
            Option("--modes", "comma-separated: actual, exercise, test", "actual,exercise,test"),
            JSON,
        ),
    ),
    Command(
        "user add",
        "cli.user:add",
        "make a user of the console; the one-time password is shown once",
        (
            LOGIN,
            Option("--name", "their name; else the login"),
            Option("--role", "officer, auditor or admin", "officer"),
            Option("--modes", "comma-separated: actual, exercise, test", "actual,exercise,test"),
            JSON,
        ),
    ),
    Command("user list", "cli.user:list_users", "list who may log in", (JSON,)),
    Command(
        "user reset",
        "cli.user:reset",
        "give a user a new one-time password, and end their sessions",
        (
            LOGIN,
            Option(
                "--forget-codes", "also ask for no codes of an authenticator any more", is_flag=True
            ),
            JSON,
        ),
    ),
    Command("user disable", "cli.user:disable", "let a user in no more", (LOGIN, JSON)),
    Command("user enable", "cli.user:enable", "let a disabled user in again", (LOGIN, JSON)),
    Command(
        "audit verify",
        "cli.audit:verify",
        "see whether the record of who did what is whole",
        (Option("--head", "SEQ:MAC of a head that was noted elsewhere, to compare with"), JSON),
    ),
    Command(
        "audit export",
        "cli.audit:export",
        "print who did what, the oldest first",
        (
            Option("--since", "a day or an instant, such as 2026-01-31T08:00:00Z"),
            Option("--format", "ndjson or csv", "ndjson"),
        ),
    ),
    Command("version", "cli.version:version", "print the version", (JSON,)),
)


def main(line: Sequence[str] | None = None) -> int:
    """Do one command and return its exit code."""
    arguments = _parser().parse_args(line)
    if not arguments.does:
        arguments.parser.print_help(sys.stderr)
        return Exit.USAGE
    try:
        return _do(arguments)
    except CommandError as error:
        print(f"kentongan: {error}", file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # `kentongan … | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN


def _do(arguments: argparse.Namespace) -> int:
    module, function = arguments.does.split(":")
    try:
        done: int = getattr(import_module(module), function)(arguments, os.environ)
    except Exception as error:
        # By name: to import the class, pydantic would have to be imported for `--help` as well.
        if type(error).__name__ == "SettingsError":
            raise CommandError(str(error), Exit.USAGE) from None
        raise
    return done


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kentongan",
        description="Warns many people at once, until it knows who was reached.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"kentongan {__version__}")
    parser.set_defaults(does="", parser=parser)
    verbs = parser.add_subparsers(metavar="command", title="commands")
    nouns: dict[str, argparse._SubParsersAction[argparse.ArgumentParser]] = {}
    for command in COMMANDS:
        noun, _, verb = command.words.partition(" ")
        if verb and noun not in nouns:
            group = verbs.add_parser(noun, help=f"{noun} commands")
            group.set_defaults(parser=group)
            nouns[noun] = group.add_subparsers(metavar="verb", title="verbs")
        into, word = (nouns[noun], verb) if verb else (verbs, noun)
        _fill(into.add_parser(word, help=command.help, description=command.help), command)
    return parser


def _fill(parser: argparse.ArgumentParser, command: Command) -> None:
    parser.set_defaults(does=command.does, parser=parser)
    for option in command.options:
        if option.is_flag:
            parser.add_argument(option.flag, action="store_true", help=option.help)
        else:
            parser.add_argument(option.flag, default=option.default, help=option.help)
