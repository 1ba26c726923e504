"""The command line: parse, call, show. Errors become one clear message and the exit codes of the design."""

from __future__ import annotations

import os
import signal
import sys
from functools import wraps
from importlib import import_module
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Annotated, Any

import typer

from supplychain.cli.groups import spread, with_parameters
from supplychain.cli.options import Quiet
from supplychain.cli.record import recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Each module registers its commands; heavy libraries are imported inside the commands, so `--help` stays fast.
_GROUPS = ("report", "analysis", "structure", "sourcing", "whatif", "law", "data", "exchange", "app")

EXIT_BUG, EXIT_USAGE, EXIT_ENVIRONMENT, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 5, 130, 143


def _quietly(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command that makes no remarks take --quiet all the same, so that a script may always give it."""
    given = signature(command, eval_str=True)
    if "quiet" in given.parameters:
        return command

    @wraps(command)
    def run_quietly(*, quiet: bool = False, **named: Any) -> Any:
        return command(**named)

    extra = Parameter("quiet", Parameter.KEYWORD_ONLY, default=False, annotation=Quiet)
    return with_parameters(run_quietly, [*given.parameters.values(), extra])


def _version(asked: bool) -> None:
    if asked:
        from supplychain import __version__

        typer.echo(f"supplychain {__version__}")
        raise typer.Exit


def build() -> typer.Typer:
    """The application with every command group registered."""
    app = typer.Typer(
        name="supplychain",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Choke points and sourcing of semiconductor inputs under dated export controls.",
    )

    @app.callback()
    def root(
        version: Annotated[
            bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
        ] = False,
    ) -> None:
        """Nothing is set globally: every command names what it reads."""

    for group in _GROUPS:
        import_module(f"supplychain.cli.{group}").register(app)
    for part in (app, *(group.typer_instance for group in app.registered_groups)):
        for command in part.registered_commands if part else ():
            command.callback = recorded(_quietly(spread(command.callback))) if command.callback else None
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with the design's exit code."""
    # A polite request to end is met as an interrupt is: workers ended, remains removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(EXIT_TERMINATED))
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; every foreseen fault is one message on standard error."""
    from supplychain.errors import SupplychainError

    try:
        code: Any = build()(args=list(arguments) if arguments is not None else None, standalone_mode=False)
    except SupplychainError as error:
        typer.echo(str(error), err=True)
        return error.exit_code
    except typer.TyperException as error:
        typer.echo(f"usage: {error.format_message()} (supplychain COMMAND --help tells the options)", err=True)
        return EXIT_USAGE
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (`| head`) has gone: give the flush at exit somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, MemoryError, ImportError) as error:
        if isinstance(error, ImportError) and str(error.name).startswith("supplychain"):
            raise  # a part of our own that is missing is our bug
        typer.echo(f"environment: {error or type(error).__name__}", err=True)
        return EXIT_ENVIRONMENT
    return code if isinstance(code, int) else 0
