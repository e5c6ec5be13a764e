"""Commands and their options."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from skcoldstart import __version__
from skcoldstart._command._console import finish

PROG = "python -m skcoldstart"
COMMANDS = {
    "demo": "this demonstration, also without a command",
    "evaluate": "compare recommenders on held-out songs of your catalogue",
    "fit": "fit a model to your catalogue and write it to a folder",
    "recommend": "write lists of songs for users, or of users for songs",
    "refine": "the same for new songs, with the plays they have so far",
}
FURTHER = "commands:\n" + "\n".join(
    f"  {name:<12}{what}" for name, what in COMMANDS.items()
)
FURTHER += f"\n\nOptions of a command: {PROG} fit --help"
DESCRIPTIONS = {
    "demo": """\
Hold out artists, learn from the sound and plays of the other songs, and
rank the listeners of songs that nobody has played. Without arguments, the music and
its listeners are synthetic; with --plays and --audio, they are yours.
""",
    "evaluate": """\
Hold out a quarter of the artists, learn from the others, and rank the held-out songs
for every user, by several recommenders and by chance.
""",
    "fit": """\
Fit a model to songs with plays, with their sound (--audio), a table of their
properties (--metadata), or both. The folder has the model, factors and names for
programs that serve them, and the table of songs.
""",
    "recommend": """\
Write the best new songs of each user, or the best users of each new song. Without
--audio and --metadata: the songs that the model was fitted to, except what a user has
played.
""",
    "refine": """\
Like recommend, for new songs with their first plays: the more plays a song has,
the larger is their weight relative to its content. Played songs are not listed.
""",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command, the demonstration without one; return the exit status."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    is_named = bool(arguments) and arguments[0] in COMMANDS
    command = arguments.pop(0) if is_named else "demo"
    parser = make_parser(command, named=is_named)
    if not is_named and arguments and not arguments[0].startswith("-"):
        parser.error(f"{arguments[0]!r} is not one of {', '.join(COMMANDS)}")
    options = parser.parse_args(arguments)
    _check(parser, options, command)
    module = "recommend" if command == "refine" else command
    home = f"skcoldstart._command._{module}"
    return finish(parser.prog, lambda: getattr(import_module(home), command)(options))


def make_parser(command: str, *, named: bool = True) -> argparse.ArgumentParser:
    is_demo = command == "demo"
    parser = argparse.ArgumentParser(
        prog=f"{PROG} {command}" if named else PROG,
        description=DESCRIPTIONS[command],
        epilog=FURTHER if is_demo else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own = parser.add_argument_group("your own catalogue") if is_demo else parser
    for name in f"{NAMES[command]} {NAMES_OF_ALL}".split():
        group = own if name in ("plays", "audio", "groups") else parser
        options = OPTIONS[name] | OPTIONS.get(f"{name} of {command}", {})
        group.add_argument(f"--{name}", **options)
    if not is_demo:
        parser.add_argument(
            "--json", action="store_true", help="print the results as one JSON object"
        )
    parser.add_argument("--quiet", action="store_true", help="show no progress bars")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text).expanduser()


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not an integer of at least 1")
    return number


def _file(what: str, **options: Any) -> dict[str, Any]:
    return {"type": _path, "metavar": "FILE", "help": what, **options}


def _folder(what: str, **options: Any) -> dict[str, Any]:
    return _file(what, **options) | {"metavar": "FOLDER"}


NAMES = {
    "demo": "plays audio groups out n-codewords seed top-k",
    "evaluate": "plays audio groups metadata files n-codewords seed top-k",
    "fit": "plays audio groups metadata files out n-codewords seed",
    "recommend": "model audio metadata listeners user top by out",
    "refine": "model audio metadata plays listeners user top by out",
}
NAMES_OF_ALL = "reader jobs"
_PLAYS = "table with the columns user, song and (optionally) plays; TSV, CSV or parquet"
_SO_FAR = "plays of these songs so far: user, song and (optionally) plays"
_LISTS = "where to write the lists: .csv or .parquet (default: %(default)s)"
OPTIONS: dict[str, dict[str, Any]] = {
    "plays": _file(_PLAYS, required=True),
    "plays of demo": {"required": False},
    "plays of refine": {"help": _SO_FAR},
    "audio": _folder(
        "audio files; a file's name, with or without suffix, is the song's id"
    ),
    "audio of recommend": {"help": "audio files of the songs to list"},
    "audio of refine": {"help": "audio files of the songs to list"},
    "groups": _file(
        "table with the columns song and artist; songs of an artist are held out "
        "together"
    ),
    "metadata": _file(
        "table with the column song and others, such as genre, year and tags"
    ),
    "files": _file(
        "table with the columns song and path, if names of files are not the songs' ids"
    ),
    "model": _folder("folder written by fit", required=True),
    "listeners": _file(
        "plays of known songs by users that the model does not know; makes lists for "
        "them"
    ),
    "out": _file(_LISTS, default=Path("lists.csv")),
    "out of demo": _folder(
        "where to write the picture and the recommendations (default: %(default)s)",
        default=Path("skcoldstart-demonstration"),
    ),
    "out of fit": _folder(
        "folder for the model; an existing model is replaced, and a link to a folder "
        "stays a link",
        default=None,
        required=True,
    ),
    "n-codewords": {
        "type": _positive,
        "default": 300,
        "metavar": "N",
        "help": "size of the codebook (default: %(default)s; the paper has 4000)",
    },
    "seed": {"type": int, "default": 0, "metavar": "N"},
    "top-k": {
        "type": _positive,
        "metavar": "K",
        "help": "K of mAP@K (default: a tenth of the candidates, at most 500)",
    },
    "user": {
        "action": "append",
        "default": [],
        "metavar": "ID",
        "help": "make lists for this user only; may be repeated",
    },
    "top": {
        "type": _positive,
        "default": 20,
        "metavar": "N",
        "help": "length of a list (default: %(default)s)",
    },
    "by": {
        "choices": ["user", "song"],
        "default": "user",
        "help": "songs for each user (default), or users for each song",
    },
    "reader": {
        "choices": ["auto", "soundfile", "av"],
        "default": "auto",
        "help": "decoder of audio: av reads M4A, AAC and others (extra [av])",
    },
    "jobs": {
        "type": int,
        "default": -1,
        "metavar": "N",
        "help": "workers that read audio (default: all processors)",
    },
}


def _check(
    parser: argparse.ArgumentParser, options: argparse.Namespace, command: str
) -> None:
    if command == "demo":
        if (options.plays is None) != (options.audio is None):
            parser.error("--plays and --audio must be used together")
        if options.groups is not None and options.plays is None:
            parser.error("--groups requires --plays and --audio")
    elif command in ("evaluate", "fit"):
        if options.audio is options.metadata is options.files is None:
            parser.error("--audio, --metadata or both are required")
    elif options.out.suffix not in (".csv", ".parquet"):
        parser.error(f"--out {options.out} must end in .csv or .parquet")
    elif options.user and options.listeners:
        parser.error("--user and --listeners exclude each other: give one of them")
    if hasattr(options, "seed") and not 0 <= options.seed < 2**32:
        parser.error(f"--seed must be from 0 to 2**32 - 1, got {options.seed}")
    if options.jobs == 0:
        parser.error("--jobs must not be 0: N workers, or -1 for all processors")
