"""The command line of a service: what it can be asked besides serving."""

import argparse
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NoReturn

CHECK_CONFIG: Final = "--check-config"
# The end of a service that waits for a person to decide: started again it says the same, and whoever starts it need not give up the rest.
EXIT_STOPPED: Final = 4
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


def asked(
    program: str, does: str, arguments: Sequence[str] | None, also: Mapping[str, str] = _NONE
) -> frozenset[str]:
    """The options among `arguments`; None: those of the process. `also`: options beside `--check-config`, with what they do.

    Ends the process with 0 after `--help`, with 2 after anything that is not known: who mistypes an option must not start a service.
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description=f"{does} Runs until it is told to end; settings come from the environment.",
        allow_abbrev=False,
    )
    known = {CHECK_CONFIG: "validate the settings and end", **also}
    for name, what in known.items():
        parser.add_argument(name, action="store_true", dest=name, help=what)
    given = vars(parser.parse_args(arguments))
    return frozenset(name for name in known if given[name])


def leave(status: int) -> NoReturn:
    """End a process that has served, also when threads still wait: for what a database that stands still would tell them, say.

    The interpreter would wait for them as long as they wait.
    """
    waiting = [one for one in threading.enumerate() if one is not threading.main_thread() and not one.daemon]
    if not waiting:
        sys.exit(status)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
