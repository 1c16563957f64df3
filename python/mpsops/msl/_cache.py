"""Compiled kernels on disk, shared by all processes of a user.

An entry is written under another name and renamed, so that nobody sees half of one, and ends with a hash
of what is before it: what a full disk or a crash left behind counts as absent.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_SUFFIX = ".so"
_UNFINISHED = ".unfinished-"
_DAY = 86400.0
_SEAL = hashlib.sha256().digest_size
_DEFAULT_MEBIBYTES = 256


def cache_directory() -> Path:
    """Where compiled sources are kept: ``MPSOPS_CACHE_DIR``, or the user's cache folder."""
    if folder := os.environ.get("MPSOPS_CACHE_DIR"):
        return Path(folder).absolute()
    from mpsops import _user_cache  # here: the build loads mpsops.msl alone, without torch

    return _user_cache.folder("kernels")


def _limit() -> int:
    text = os.environ.get("MPSOPS_CACHE_SIZE") or str(_DEFAULT_MEBIBYTES)
    if not text.isdecimal():
        raise ValueError(f"mpsops: MPSOPS_CACHE_SIZE must be a number of MiB, got {text}")
    return int(text) << 20


@dataclass(frozen=True)
class Cache:
    """A folder of shared objects by key, at most `limit` bytes of them: the longest unused goes first."""

    folder: Path
    limit: int

    def find(self, key: str) -> Path | None:
        """The entry of `key`, if there is a whole one."""
        path = self.folder / f"{key}{_SUFFIX}"
        try:
            content = path.read_bytes()
            os.utime(path)
        except FileNotFoundError:  # never made, or evicted in between
            return None
        body, seal = content[:-_SEAL], content[-_SEAL:]
        return path if hashlib.sha256(body).digest() == seal else None

    def add(self, key: str, build: Callable[[Path], None]) -> Path:
        """Has `build` write a shared object, and makes it the entry of `key`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{key}{_SUFFIX}"
        # In the same folder: a rename must not cross file systems.
        with tempfile.TemporaryDirectory(prefix=_UNFINISHED, dir=self.folder) as folder:
            made = Path(folder) / path.name
            build(made)
            content = made.read_bytes()
            with made.open("ab") as file:
                file.write(hashlib.sha256(content).digest())
            made.replace(path)
        self._evict(path)
        return path

    def _evict(self, newest: Path) -> None:
        for left in self.folder.glob(f"{_UNFINISHED}*"):
            with suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > _DAY:
                    shutil.rmtree(left, ignore_errors=True)  # of a process that was killed
        entries: list[tuple[int, int, Path]] = []
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with suppress(FileNotFoundError):  # another process evicts too
                status = path.stat()
                entries.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self.limit:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                total -= size


def user_cache() -> Cache:
    """The cache that the environment asks for."""
    return Cache(cache_directory(), _limit())
