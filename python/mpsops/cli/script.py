"""Runs somebody's program inside this process, as ``python`` itself would."""

import os
import runpy
import sys
from pathlib import Path
from types import ModuleType


def run_script(path: str, arguments: list[str]) -> None:
    """As ``python path arguments``: ``sys.argv``, ``sys.path[0]`` and ``__main__`` are the script's."""
    file = os.path.abspath(path)
    code = compile(Path(file).read_bytes(), file, "exec")
    main = ModuleType("__main__")
    main.__dict__.update(__file__=file, __builtins__=__builtins__)
    sys.argv[:] = [path, *arguments]
    sys.path.insert(0, str(Path(file).resolve().parent))
    # It stays: what the script registered with atexit, and its threads, go on using it.
    sys.modules["__main__"] = main
    exec(code, main.__dict__)


def run_module(name: str, arguments: list[str]) -> None:
    """As ``python -m name arguments``: the working directory is searched first."""
    if sys.path[0] not in {"", os.getcwd()}:
        sys.path.insert(0, os.getcwd())
    sys.argv[:] = [name, *arguments]
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def show_error(error: BaseException) -> int:
    """Print an exception as ``python`` does, without the frames that led to the program; its exit status."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename != __file__:
        frames = frames.tb_next
    while frames is not None and frames.tb_frame.f_code.co_filename in {__file__, "<frozen runpy>"}:
        frames = frames.tb_next
    sys.excepthook(type(error), error.with_traceback(frames), frames)
    return 130 if isinstance(error, KeyboardInterrupt) else 1
