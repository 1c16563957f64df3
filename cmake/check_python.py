"""Stops, saying what to do, when this interpreter cannot make .venv. Runs on any Python."""

# ruff: noqa: UP031, UP036, RUF005
import os
import sys
import sysconfig


def problem():
    if sys.version_info < (3, 11):
        return "is Python %d.%d, and mpsops needs 3.11 or newer" % sys.version_info[:2], "python3.12"
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        return "cannot make virtual environments (Debian, Ubuntu: apt install python3-venv)", "python3.12"
    if not os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")):
        return "has no C headers (Debian, Ubuntu: apt install python3-dev)", "python3.12"
    return None


found = problem()
if found:
    sys.exit("%s %s.\nOr choose another interpreter: make PYTHON=%s" % ((sys.executable,) + found))
