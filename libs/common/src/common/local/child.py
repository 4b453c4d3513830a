"""Becomes another program that cannot outlive its parent. Run as a script, standard library only, before any import of ours.

`child.py --parent PID --signal NUMBER [--account NAME] -- PROGRAM ARGS...`

Guarantee (Linux): when the parent process is gone, however it ended, this process gets the signal.
With `--account`, root is given up for that account first; what remains of root is the right to pass through directories,
because a data directory often lies below one that only root may enter (mkdtemp makes them so).
"""

import ctypes
import os
import pwd
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522


class _CapHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class _CapData(ctypes.Structure):
    _fields_ = [
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    ]


def _give_up_root(account: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    entry = pwd.getpwnam(account)
    libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    _keep_only(_passing_capability(libc), libc)
    os.umask(0o077)


def _passing_capability(libc: ctypes.CDLL) -> int | None:
    """The weakest capability we hold that passes through closed directories; containers often grant only the stronger one."""
    header, data = _CapHeader(_CAPABILITY_VERSION_3, 0), (_CapData * 2)()
    if libc.capget(ctypes.byref(header), data) != 0:
        return None
    held = int(data[0].permitted)
    return next((c for c in (_CAP_DAC_READ_SEARCH, _CAP_DAC_OVERRIDE) if held & (1 << c)), None)


def _keep_only(capability: int | None, libc: ctypes.CDLL) -> None:
    mask = 0 if capability is None else 1 << capability
    data = (_CapData * 2)(_CapData(mask, mask, mask), _CapData(0, 0, 0))
    libc.capset(ctypes.byref(_CapHeader(_CAPABILITY_VERSION_3, 0)), data)
    if capability is not None:
        libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _die_with(parent: int, signal_number: int) -> None:
    """Asked for after the change of account, which clears it; the parent may be gone already by then."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)


def main(argv: list[str]) -> None:
    split = argv.index("--")
    options = dict(zip(argv[0:split:2], argv[1:split:2], strict=True))
    program = argv[split + 1 :]
    if "--account" in options:
        _give_up_root(options["--account"])
    _die_with(int(options["--parent"]), int(options["--signal"]))
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(sys.argv[1:])
