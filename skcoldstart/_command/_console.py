"""What a command prints, and how it ends."""

import io
import json
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["UserError", "explained", "finish", "make_folder", "report", "say"]


class UserError(Exception):
    """Something that the person at the keyboard can put right."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn what files and options are to blame for into one plain message."""
    try:
        yield
    except BrokenPipeError:  # of what is printed
        raise
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise UserError(error) from error


def finish(prog: str, work: Callable[[], None]) -> int:
    """Do the work of a command and return its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal cannot show must not cost the results.
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
    except BrokenPipeError:  # nobody reads the progress bars
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
    """Print, or go on in silence when the reader of a pipe has left."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _discard(sys.stdout)


def report(found: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print what was found, for people or as one JSON object."""
    if as_json:
        text = json.dumps(found, ensure_ascii=False, allow_nan=False, default=str)
    say(text)


def _discard(stream: Any) -> None:
    """Let a closed stream lead nowhere, so that nothing fails when it is flushed."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def make_folder(folder: Path) -> None:
    """Make the folder, and find out now whether files can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UserError(f"cannot write to --out {folder}: {error}") from error
