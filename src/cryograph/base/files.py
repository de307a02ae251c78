"""Reading any part of a file without loading it, and writing a file so that it is whole or not there.

Local files are read by `pread` (which leaves resident memory alone) or viewed through a map (which copies nothing).
Paths of the form `scheme://...` go through fsspec, which is an extra.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, cast

from .errors import DamagedError, FileError, MissingExtraError
from .progress import advance

CHUNK = 1 << 20
"""Bytes in one piece of a streamed copy."""

Path = str | os.PathLike[str]


class File(ABC):
    """A read-only file in which any range can be read. `size` is in bytes."""

    name: str
    size: int

    @abstractmethod
    def _read(self, offset: int, length: int) -> bytes: ...

    @abstractmethod
    def _view(self, offset: int, length: int) -> memoryview: ...

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            raise DamagedError(
                f"{self.name}: bytes {offset} to {offset + length} were asked for, but the file has {self.size}."
                " It is cut short or its index is wrong."
            )

    def read(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`; DamagedError when the file does not hold them."""
        self._check(offset, length)
        return self._read(offset, length)

    def view(self, offset: int, length: int) -> memoryview:
        """The same bytes without a copy where the file is local; DamagedError when the file does not hold them."""
        self._check(offset, length)
        return self._view(offset, length)

    def span(self, offset: int = 0, length: int | None = None) -> Span:
        """A range of this file; the rest of it when `length` is None."""
        length = self.size - offset if length is None else length
        self._check(offset, length)
        return Span(self, offset, length)


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a file: `length` bytes from `offset`."""

    file: File
    offset: int
    length: int

    def read(self) -> bytes:
        """The bytes, copied."""
        return self.file.read(self.offset, self.length)

    def view(self) -> memoryview:
        """The bytes, as a view of the mapped file."""
        return self.file.view(self.offset, self.length)

    def sub(self, offset: int, length: int) -> Span:
        """A range inside this one; DamagedError when it sticks out."""
        if offset < 0 or length < 0 or offset + length > self.length:
            raise DamagedError(
                f"{self.file.name}: a part of {length} bytes at {self.offset + offset} sticks out of its record."
            )
        return Span(self.file, self.offset + offset, length)

    def chunks(self, size: int = CHUNK) -> Iterator[bytes]:
        """The bytes in pieces of at most `size`, read one after the other so that memory stays small."""
        end = self.offset + self.length
        for start in range(self.offset, end, size):
            data = self.file.read(start, min(size, end - start))
            advance(len(data))
            yield data


class _LocalFile(File):
    """A local file: `pread` and, when a view is asked for, one map of the whole file."""

    def __init__(self, path: str) -> None:
        self.name = path
        with file_errors(path, "read"):
            self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        weakref.finalize(self, os.close, self._fd)
        status = os.fstat(self._fd)
        if os.path.isdir(path):
            raise FileError(f"{path} is a directory, where a file was expected.")
        self.size = status.st_size
        self._map: mmap.mmap | None = None

    def _read(self, offset: int, length: int) -> bytes:
        with file_errors(self.name, "read"):
            data = os.pread(self._fd, length, offset)
            while len(data) < length:  # one pread gives at most 2 GiB
                more = os.pread(self._fd, length - len(data), offset + len(data))
                if not more:
                    raise DamagedError(f"{self.name}: the file became shorter while it was read.")
                data += more
        return data

    def _view(self, offset: int, length: int) -> memoryview:
        if length == 0:
            return memoryview(b"")
        if self._map is None:
            with file_errors(self.name, "map"):
                self._map = mmap.mmap(self._fd, self.size, access=mmap.ACCESS_READ)
        return memoryview(self._map)[offset : offset + length]


class MemoryFile(File):
    """Bytes that behave as a file."""

    def __init__(self, data: bytes | memoryview, name: str = "<memory>") -> None:
        self.name = name
        self._data = memoryview(data).cast("B")
        self.size = len(self._data)

    def _read(self, offset: int, length: int) -> bytes:
        return bytes(self._data[offset : offset + length])

    def _view(self, offset: int, length: int) -> memoryview:
        return self._data[offset : offset + length]


class _RemoteFile(File):
    """A file behind fsspec: every read is one ranged request."""

    def __init__(self, path: str) -> None:
        self.name = path
        self._fs, self._path = _remote(path)
        with file_errors(path, "read"):
            self.size = int(self._fs.size(self._path))

    def _read(self, offset: int, length: int) -> bytes:
        if length == 0:
            return b""
        with file_errors(self.name, "read"):
            data = cast(bytes, self._fs.cat_file(self._path, start=offset, end=offset + length))
        if len(data) != length:
            raise DamagedError(f"{self.name}: {length} bytes at {offset} were asked for, {len(data)} came.")
        return data

    def _view(self, offset: int, length: int) -> memoryview:
        return memoryview(self._read(offset, length))


def _remote(path: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError("fsspec", "remote", f"Opening {path}") from None
    try:
        fs, inner = fsspec.core.url_to_fs(path)
    except (ImportError, ValueError) as error:  # the package of a store is not installed, or there is no such store
        raise FileError(f"{path} cannot be reached: {str(error).rstrip('.')}.") from error
    return fs, inner


@contextlib.contextmanager
def file_errors(path: str, verb: str) -> Iterator[None]:
    """Turns the operating system's errors into FileError: what was done to which file, and why it failed."""
    if "\0" in path:
        raise FileError(f"{path!r} is no name of a file, as it holds a zero byte.")
    try:
        yield
    except FileNotFoundError:
        if verb == "write" and not is_remote(path):
            folder = os.path.dirname(path)
            raise FileError(f"Cannot write {path}: the directory {folder or '.'} does not exist.") from None
        raise FileError(f"{path or 'A file without a name'} does not exist.") from None
    except OSError as error:
        why = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the disk quota is used up",
            errno.EACCES: "permission denied",
            errno.EROFS: "the file system is read-only",
            errno.EISDIR: "it is a directory",
        }.get(error.errno or 0, error.strerror or str(error))
        raise FileError(f"Cannot {verb} {path}: {why}.") from error


def is_remote(path: Path) -> bool:
    """Whether a path goes through fsspec."""
    return "://" in os.fspath(path)


def open_file(path: Path) -> File:
    """A file to read from; FileError when it is not there or may not be read."""
    name = os.fspath(path)
    return _RemoteFile(name) if is_remote(name) else _LocalFile(name)


def exists(path: Path) -> bool:
    """Whether a file or directory is there."""
    name = os.fspath(path)
    if is_remote(name):
        fs, inner = _remote(name)
        return bool(fs.exists(inner))
    return os.path.exists(name)


def is_file(path: Path) -> bool:
    """Whether a path is a file."""
    name = os.fspath(path)
    if is_remote(name):
        fs, inner = _remote(name)
        return bool(fs.isfile(inner))
    return os.path.isfile(name)


def is_dir(path: Path) -> bool:
    """Whether a path is a directory."""
    name = os.fspath(path)
    if is_remote(name):
        fs, inner = _remote(name)
        return bool(fs.isdir(inner))
    return os.path.isdir(name)


def list_dir(path: Path) -> list[str]:
    """The names in a directory, sorted; FileError when it cannot be read."""
    name = os.fspath(path)
    with file_errors(name, "list"):
        if is_remote(name):
            fs, inner = _remote(name)
            return sorted(entry.rstrip("/").rsplit("/", 1)[-1] for entry in fs.ls(inner, detail=False))
        return sorted(os.listdir(name))


def join(directory: Path, *names: str) -> str:
    """A path below a directory, local or remote."""
    base = os.fspath(directory)
    return "/".join([base.rstrip("/"), *names]) if is_remote(base) else os.path.join(base, *names)


def make_dir(path: Path) -> None:
    """Makes a directory and its parents; nothing happens when it is there."""
    name = os.fspath(path)
    with file_errors(name, "make the directory"):
        if is_remote(name):
            fs, inner = _remote(name)
            fs.makedirs(inner, exist_ok=True)
        elif name:
            os.makedirs(name, exist_ok=True)


def remove_file(path: Path) -> None:
    """Removes a file; nothing happens when it is not there."""
    name = os.fspath(path)
    with file_errors(name, "remove"), contextlib.suppress(FileNotFoundError):
        if is_remote(name):
            fs, inner = _remote(name)
            fs.rm_file(inner)
        else:
            os.unlink(name)


def move_file(source: Path, target: Path) -> None:
    """Gives a file another name, in the place of what stands there."""
    old, new = os.fspath(source), os.fspath(target)
    with file_errors(old, "rename"):
        if is_remote(old) or is_remote(new):
            fs, inner = _remote(old)
            fs.mv(inner, _remote(new)[1])
        else:
            os.replace(old, new)


def remove_empty_dir(path: Path) -> None:
    """Removes a directory; nothing happens when it is not there or holds something."""
    name = os.fspath(path)
    with contextlib.suppress(OSError):
        if is_remote(name):
            fs, inner = _remote(name)
            fs.rmdir(inner)
        else:
            os.rmdir(name)


def modified_time(path: Path) -> float:
    """When a file was last written, in seconds since 1970; 0 where a remote store does not say."""
    name = os.fspath(path)
    with file_errors(name, "look at"):
        if not is_remote(name):
            return os.stat(name).st_mtime
        fs, inner = _remote(name)
        try:
            return float(fs.modified(inner).timestamp())
        except NotImplementedError:
            return 0.0


def sync_dir(path: str) -> None:
    """Flushes a directory's entries to disk, so that a rename in it survives a power cut."""
    if os.name == "posix":
        fd = os.open(path or ".", os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def _remote_write(name: str) -> Iterator[IO[bytes]]:
    """An upload that is committed when it ends well. A transaction would do so for one file at a time only."""
    fs, inner = _remote(name)
    existed = fs.exists(inner)
    out = fs.open(inner, "wb", autocommit=False)
    try:
        yield cast(IO[bytes], out)
        out.close()
    except BaseException:
        if hasattr(out, "discard"):
            out.discard()
        if not existed and fs.exists(inner):  # a store that commits at once
            fs.rm_file(inner)
        raise
    if hasattr(out, "commit"):
        out.commit()


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[IO[bytes]]:
    """A binary file to write to that takes its name only when the block ends well: sibling temporary, flush, rename.

    When the block fails, nothing of it is left and an older file of that name stays as it was. A link stays one: what
    it leads to is written. What is no file, such as a pipe or /dev/null, is written to as it is.
    """
    name = os.fspath(path)
    if is_remote(name):
        with file_errors(name, "write"):
            yield from _remote_write(name)
        return
    name = os.path.realpath(name) if os.path.islink(name) else name
    if os.path.exists(name) and not os.path.isfile(name) and not os.path.isdir(name):
        with file_errors(name, "write"), open(name, "wb") as out:
            yield out
        return
    temporary = f"{name}.{secrets.token_hex(4)}.tmp"
    with file_errors(name, "write"):
        try:  # around the opening too: Ctrl-C may come between any two steps
            with open(temporary, "xb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            os.replace(temporary, name)
            sync_dir(os.path.dirname(name))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
