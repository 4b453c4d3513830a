"""The command `bellwether`. Every module of `bellwether.commands` is a command and is loaded only when it is called."""

import importlib
import pkgutil
import sys

import typer

from bellwether import commands, terminal
from common.errors import BellwetherError


def main() -> None:
    app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
    app.callback()(_about)
    for name in _wanted(sys.argv[1:]):
        importlib.import_module(f"bellwether.commands.{name}").register(app)
    try:
        app()
    except BellwetherError as error:
        terminal.err().print(f"error: {error.message}", style=None, markup=False)
        sys.exit(1)


def _about() -> None:
    """Bellwether tells early which customers are in trouble, and keeps every figure exact."""


def _wanted(arguments: list[str]) -> list[str]:
    """Only the command that is called, so that `up` does not wait for what `explain` needs; all of them for the help."""
    # `import` is a word of the language, so its module is called import_; modules have no hyphens.
    known = {
        module.name.rstrip("_").replace("_", "-"): module.name
        for module in pkgutil.iter_modules(commands.__path__)
    }
    called = known.get(arguments[0]) if arguments else None
    return [called] if called else list(known.values())


if __name__ == "__main__":
    main()
