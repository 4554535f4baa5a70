"""The command `keyhalt`: its groups, and how every command ends."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

import click

from keyhalt.cli.context import EXIT_CONFIG, EXIT_ERROR, EXIT_UNAVAILABLE, EXIT_USAGE, Failure
from keyhalt.cli.masking import masked
from keyhalt.client.checking import AppError
from keyhalt.core.profiles import ProfileError
from keyhalt.core.secrets import MacKeysError
from keyhalt.usecases.ports import (
    CopyError,
    NotSetUpError,
    StoreClosedError,
    StoreUnavailableError,
    UnfitStoreError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from keyhalt.cli.context import Tools

_CONFIG = (
    AppError, MacKeysError, ProfileError, NotSetUpError, StoreClosedError, UnfitStoreError,
)  # fmt: skip
_MISTAKES = (
    *_CONFIG, click.ClickException, CopyError, StoreUnavailableError, UnicodeError, OSError,
)  # fmt: skip

# Name of the command to its first sentence, so that the list of all imports none of them, and to
# the modules that have it. The first has it as an attribute, the others add to it.
COMMANDS = {
    "demo": ("Run a complete server with sample data, over plain HTTP.", "demo"),
    "serve": ("Run the server.", "serving"),
    "init": ("Set up the environment, its first datasource and administrator.", "serving"),
    "db": ("The stores: their schema, and copies of them.", "db"),
    "key": (
        "Keys: make, list, show, find, delete, import, identify; keys that keys made.",
        "key", "identify", "ending_keys", "anywhere", "advise", "narrow",
    ),
    "user": (
        "Users: create, list, show, edit, deactivate, activate, and what they have.",
        "user", "ending_keys",
    ),
    "role": (
        "Roles: create, list, show, edit, set-grants, hide, unhide, delete, roll-out.",
        "role", "anywhere",
    ),
    "group": ("Groups of users: create, list, show, edit, delete.", "group"),
    "datasource": ("Datasources: create, list, deactivate, activate, set-policy.", "datasource"),
    "policy": ("What proxies let through: apply, diff, test, list, show.", "policy"),
    "audit": ("The audit log.", "audit", "keeping"),
    "explain": ("Say, check by check, why a request would be allowed or refused.", "explain"),
    "freeze": ("Stop a whole set of keys at once, until it is thawed.", "freeze"),
    "thaw": ("Let the keys of a freeze count again.", "freeze"),
    "doctor": ("Checks of what stands around Keyhalt.", "doctor"),
    "mac-key": ("MAC keys: list, add, mint, lost, remove.", "mac_key"),
    "prove": (
        "Put the promise to the test here: keys are deleted while processes use them.", "prove",
    ),
    "report": (
        "Draw the keys of a datasource, their use and what to look at, as one HTML page.", "report",
    ),
}  # fmt: skip

# What click calls the types of its numbers, and what people do.
_WORDS = (
    ("a valid integer range", "a whole number"),
    ("a valid integer", "a whole number"),
    ("a valid float range", "a number"),
)


class Lazy(click.Group):
    """A group that imports a command only when somebody asks for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        _, *modules = COMMANDS[cmd_name]
        first, *_ = [importlib.import_module(f"keyhalt.cli.{name}") for name in modules]
        command: click.Command = getattr(first, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (summary, *_) in COMMANDS.items()])


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keyhalt", prog_name="keyhalt")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """API keys that act as their owner, and stop the moment you say so."""
    ctx.obj = ctx.obj()


def run(tools: Callable[[], Tools], arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. Mistakes end in one line, never in a traceback.

    `tools`: made when a command needs them, for they import everything, and help needs nothing.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = cli.main(args=list(arguments), prog_name="keyhalt", obj=tools, standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough. Nothing more can be written to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _MISTAKES as error:
        message, code = _told(error)
        click.echo(f"keyhalt: {masked(message, arguments)}", err=True)
    return code if isinstance(code, int) else 0


def _told(error: Exception) -> tuple[str, int]:
    """What is said of a mistake, and the exit code."""
    match error:
        case Failure():
            return error.message, error.code
        case click.ClickException():
            return _one_line(error), error.exit_code
        case StoreClosedError():
            return str(error), EXIT_CONFIG
        case CopyError():
            return str(error), EXIT_ERROR
        case StoreUnavailableError():
            # The driver's words may be of several lines.
            return f"the store cannot be used: {' '.join(str(error).split())}", EXIT_UNAVAILABLE
        case UnicodeError():
            return "this is not UTF-8 text", EXIT_USAGE
        case OSError():
            what = f" {error.filename}" if error.filename else ""
            return f"cannot use{what}: {error.strerror or error}", EXIT_ERROR
        case _:
            return str(error), EXIT_CONFIG


def _one_line(error: click.ClickException) -> str:
    """What click found wrong, and where to read on."""
    message = " ".join(error.format_message().split())
    for theirs, ours in _WORDS:
        message = message.replace(theirs, ours)
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return message
    return f"{message.rstrip('.')}; see {context.command_path} --help"
