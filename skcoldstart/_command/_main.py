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
DEMONSTRATION = """\
Hold out artists, learn from the sound and plays of the other songs, and
rank the listeners of songs that nobody has played. Without arguments, the music and
its listeners are synthetic; with --plays and --audio, they are yours.
"""
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
    command = arguments.pop(0) if arguments[:1] and arguments[0] in COMMANDS else ""
    parser = make_parser(command or "demo", named=bool(command))
    if not command and arguments and not arguments[0].startswith("-"):
        parser.error(f"{arguments[0]!r} is not one of {', '.join(COMMANDS)}")
    options = parser.parse_args(arguments)
    _check(parser, options, command or "demo")
    command = command or "demo"
    module = "recommend" if command == "refine" else command
    home = f"skcoldstart._command._{module}"
    return finish(parser.prog, lambda: getattr(import_module(home), command)(options))


def make_parser(command: str, *, named: bool = True) -> argparse.ArgumentParser:
    is_demo = command == "demo"
    parser = argparse.ArgumentParser(
        prog=f"{PROG} {command}" if named else PROG,
        description=DEMONSTRATION if is_demo else DESCRIPTIONS[command],
        epilog=FURTHER if is_demo else None,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    learns = command in ("demo", "evaluate", "fit")
    if is_demo:
        own = parser.add_argument_group("your own catalogue")
        _add_paths(own, "plays", "audio", "groups")
        _add_out(parser, PICTURE, Path("skcoldstart-demonstration"))
    elif learns:
        _add_paths(parser, "plays", required=True)
        _add_paths(parser, "audio", "groups", "metadata", "files")
    else:
        _add_lists(parser, command)
    if command == "fit":
        _add_out(parser, MODEL)
    if learns:
        parser.add_argument(
            "--n-codewords",
            type=_positive,
            default=300,
            metavar="N",
            help="size of the codebook (default: %(default)s; the paper has 4000)",
        )
        parser.add_argument("--seed", type=int, default=0, metavar="N")
    if command in ("demo", "evaluate"):
        parser.add_argument(
            "--top-k",
            type=_positive,
            metavar="K",
            help="K of mAP@K (default: a tenth of the candidates, at most 500)",
        )
    _add_reading(parser, command)
    return parser


# Files and folders: what the value is, and the help.
PATHS = {
    "plays": (
        "FILE",
        "table with the columns user, song and (optionally) plays; TSV, CSV or parquet",
    ),
    "audio": (
        "FOLDER",
        "audio files; a file's name, with or without suffix, is the song's id",
    ),
    "groups": (
        "FILE",
        "table with the columns song and artist; songs of an artist are held out "
        "together",
    ),
    "metadata": (
        "FILE",
        "table with the column song and others, such as genre, year and tags",
    ),
    "files": (
        "FILE",
        "table with the columns song and path, if names of files are not the songs' "
        "ids",
    ),
    "model": ("FOLDER", "folder written by fit"),
    "listeners": (
        "FILE",
        "plays of known songs by users that the model does not know; makes lists for "
        "them",
    ),
}
PICTURE = (
    "FOLDER",
    "where to write the picture and the recommendations (default: %(default)s)",
)
MODEL = (
    "FOLDER",
    "folder for the model; an existing model is replaced, and a link to a folder "
    "stays a link",
)
LISTS = "FILE", "where to write the lists: .csv or .parquet (default: %(default)s)"
HEARD = "FOLDER", "audio files of the songs to list"
SO_FAR = "FILE", "plays of these songs so far: user, song and (optionally) plays"


def _add_path(parser: Any, name: str, what: tuple[str, str], **options: Any) -> None:
    parser.add_argument(
        f"--{name}", type=_path, metavar=what[0], help=what[1], **options
    )


def _add_paths(parser: Any, *names: str, required: bool = False) -> None:
    for name in names:
        _add_path(parser, name, PATHS[name], required=required)


def _add_out(parser: Any, what: tuple[str, str], default: Path | None = None) -> None:
    _add_path(parser, "out", what, default=default, required=default is None)


def _add_lists(parser: Any, command: str) -> None:
    _add_paths(parser, "model", required=True)
    _add_path(parser, "audio", HEARD)
    _add_paths(parser, "metadata")
    if command == "refine":
        _add_path(parser, "plays", SO_FAR, required=True)
    _add_paths(parser, "listeners")
    parser.add_argument(
        "--user",
        action="append",
        default=[],
        metavar="ID",
        help="make lists for this user only; may be repeated",
    )
    parser.add_argument(
        "--top",
        type=_positive,
        default=20,
        metavar="N",
        help="length of a list (default: %(default)s)",
    )
    parser.add_argument(
        "--by",
        choices=["user", "song"],
        default="user",
        help="songs for each user (default), or users for each song",
    )
    _add_out(parser, LISTS, Path("lists.csv"))


def _add_reading(parser: Any, command: str) -> None:
    parser.add_argument(
        "--reader",
        choices=["auto", "soundfile", "av"],
        default="auto",
        help="decoder of audio: av reads M4A, AAC and others (extra [av])",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=-1,
        metavar="N",
        help="workers that read audio (default: all processors)",
    )
    if command != "demo":
        parser.add_argument(
            "--json", action="store_true", help="print the results as one JSON object"
        )
    parser.add_argument("--quiet", action="store_true", help="show no progress bars")
    parser.add_argument("--version", action="version", version=__version__)


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


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not an integer of at least 1")
    return number
