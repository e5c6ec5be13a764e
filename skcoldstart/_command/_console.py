"""Output and exit status of commands."""

import io
import json
import math
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NO_GROUPS = (
    "No --groups: songs are held out one by one, and other songs by the same artist "
    "may make the results too good."
)


class UserError(Exception):
    """An error that the user of the command can fix."""


@contextmanager
def explained() -> Iterator[None]:
    """Convert errors caused by files and options to one plain message."""
    try:
        yield
    except BrokenPipeError:  # number of printed items
        raise
    except OSError as error:
        raise UserError(plain(error)) from error
    except (ValueError, TypeError, ImportError) as error:
        raise UserError(error) from error


def plain(error: OSError) -> str:
    """Return the file and the reason, without a number."""
    if error.filename is None or error.strerror is None:
        return error.strerror or str(error)
    return f"{os.fsdecode(error.filename)}: {error.strerror}"


def finish(prog: str, work: Callable[[], None]) -> int:
    """Do the work of a command and return its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal cannot show must not stop the command.
        sys.stdout.reconfigure(errors="replace")
    try:
        with _plain_warnings(prog):
            work()
    except UserError as error:
        print(f"{prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{prog}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # standard error is closed
        _discard(sys.stderr)
        return 141
    return 0


@contextmanager
def _plain_warnings(prog: str) -> Iterator[None]:
    """Print each warning as one line, once."""
    shown = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        text = " ".join(str(message).split())
        if text not in shown:
            print(f"{prog}: warning: {text}", file=sys.stderr)
        shown.add(text)

    with warnings.catch_warnings():
        warnings.showwarning = show
        yield


def say(text: str) -> None:
    """Print, or continue without output if the reader of a pipe has left."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _discard(sys.stdout)
    except OSError as error:  # a full disk
        _discard(sys.stdout)
        raise UserError(f"cannot write to standard output: {plain(error)}") from error


def report(found: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print the results as text or as one JSON object."""
    if as_json:
        text = json.dumps(_defined(found), ensure_ascii=False, default=str)
    say(text)


def _defined(value: Any) -> Any:
    """Return a value with null for every number that is not defined."""
    if isinstance(value, dict):
        return {name: _defined(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_defined(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _discard(stream: Any) -> None:
    """Redirect a closed stream to the null device, so that flushing does not fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def make_folder(folder: Path) -> None:
    """Create the folder, and check that files can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write to --out: {plain(error)}") from error
