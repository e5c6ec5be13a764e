"""From audio files and play counts to ranked listeners: ``python -m skcoldstart``."""

import argparse
import io
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from skcoldstart import __version__

DESCRIPTION = """\
Hold out songs by artist, learn from the others who plays what they sound like, and
rank the listeners of songs that nobody has played. Without arguments, the music and
its listeners are synthetic; with --plays and --audio, they are yours.
"""
N_LISTENERS = 20


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m skcoldstart",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    own = parser.add_argument_group("your own catalogue")
    own.add_argument(
        "--plays",
        type=Path,
        metavar="FILE",
        help="table with the columns user, song and (optionally) plays; TSV or CSV",
    )
    own.add_argument(
        "--audio",
        type=Path,
        metavar="FOLDER",
        help="audio files; a file's name, with or without suffix, is the song's id",
    )
    own.add_argument(
        "--groups",
        type=Path,
        metavar="FILE",
        help="table with the columns song and artist; songs of an artist are held out "
        "together",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("skcoldstart-demonstration"),
        metavar="FOLDER",
        help="where to write the picture and the recommendations "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--n-codewords",
        type=_positive,
        default=300,
        metavar="N",
        help="size of the codebook (default: %(default)s; the paper has 4000)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument(
        "--jobs",
        type=int,
        default=-1,
        metavar="N",
        help="workers that read audio (default: all processors)",
    )
    parser.add_argument("--quiet", action="store_true", help="show no progress bars")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration and return the exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if (options.plays is None) != (options.audio is None):
        parser.error("--plays and --audio go together: give both, or neither")
    if options.groups is not None and options.plays is None:
        parser.error("--groups needs --plays and --audio")
    if not 0 <= options.seed < 2**32:
        parser.error(f"--seed must be from 0 to 2**32 - 1, got {options.seed}")
    if options.jobs == 0:
        parser.error("--jobs must not be 0: N workers, or -1 for all processors")
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal cannot show must not cost the results.
        sys.stdout.reconfigure(errors="replace")
    try:
        with _plain_warnings(parser.prog):
            if options.plays is None:
                _synthetic_music(options)
            else:
                _own_music(options)
    except _UserError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # nobody reads the progress bars
        _discard(sys.stderr)
        return 141
    return 0


class _UserError(Exception):
    """Something that the person at the keyboard can put right."""


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


def _say(text: str) -> None:
    """Print, or go on in silence when the reader of a pipe has left."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _discard(sys.stdout)


def _discard(stream: Any) -> None:
    """Let a closed stream lead nowhere, so that nothing fails when it is flushed."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not at least 1")
    return number


@contextmanager
def _scratch_folder() -> Iterator[str]:
    """Make a temporary folder, and remove it in the end."""
    folder = tempfile.mkdtemp()
    try:
        yield folder
    finally:
        # After Ctrl-C, workers finish the songs that they have begun, into the folder
        # that is being emptied.
        for _ in range(100):
            shutil.rmtree(folder, ignore_errors=True)
            if not os.path.exists(folder):
                break
            time.sleep(0.05)


def _synthetic_music(options: argparse.Namespace) -> None:
    from skcoldstart.datasets import make_music_catalog

    started = time.perf_counter()
    _make_folder(options.out)
    verbose = int(not options.quiet)
    with _scratch_folder() as folder:
        catalog = make_music_catalog(
            folder,
            n_songs=640,
            n_artists=128,
            n_users=800,
            random_state=options.seed,
            n_jobs=options.jobs,
            verbose=verbose,
        )
        catalog.user_ids = np.array([
            f"listener {i}" for i in range(catalog.plays.shape[1])
        ])
        catalog.item_ids = np.array([
            f"{title}, {artist} ({genre})"
            for title, artist, genre in zip(
                catalog.titles, catalog.artists, catalog.genres, strict=True
            )
        ])
        catalog.groups = catalog.artists
        catalog.is_new = np.zeros(len(catalog.titles), dtype=bool)
        _demonstrate(catalog, options, genres=catalog.genres)
    _say(f"\n{time.perf_counter() - started:.0f} s in all.")


def _own_music(options: argparse.Namespace) -> None:
    from skcoldstart.datasets import load_catalog

    try:
        catalog = load_catalog(options.plays, options.audio, options.groups)
    except (ValueError, OSError) as error:
        raise _UserError(error) from error
    _make_folder(options.out)
    if catalog.groups is None:
        catalog.groups = catalog.item_ids
        _say(
            "No --groups: songs are held out one by one, and an artist's other songs "
            "may make the results too good."
        )
    _demonstrate(catalog, options, genres=None)


def _demonstrate(catalog: Any, options: argparse.Namespace, genres: Any) -> None:
    from skcoldstart._demonstration._experiment import (
        DemonstrationError,
        extract,
        refit,
        run,
    )
    from skcoldstart._demonstration._picture import save_picture
    from skcoldstart._demonstration._report import (
        listeners_of_a_song,
        table,
        write_recommendations,
    )

    verbose = int(not options.quiet)
    try:
        songs, usable = extract(catalog, n_jobs=options.jobs, verbose=verbose)
        played = usable[~catalog.is_new[usable]]
        new = usable[catalog.is_new[usable]]
        heard = songs[played]
        experiment = run(
            heard,
            np.asarray(catalog.groups)[played],
            n_codewords=options.n_codewords,
            seed=options.seed,
            verbose=verbose,
        )
    except DemonstrationError as error:
        raise _UserError(error) from error
    picture = options.out / "demonstration.png"
    recommendations = options.out / "recommendations.tsv"
    labels = np.asarray(catalog.groups if genres is None else genres)[played]
    try:
        save_picture(picture, experiment, heard, labels)
        if len(new):
            model, chosen = refit(experiment, heard), new
            what = f"{len(new)} songs without plays"
        else:
            model, chosen = experiment.best_model, played[experiment.test]
            what = f"the {len(chosen)} songs held out, by a model that never saw them"
        write_recommendations(
            recommendations,
            catalog.item_ids[chosen],
            catalog.user_ids,
            model,
            getattr(songs[chosen], experiment.best.reads),
            n=N_LISTENERS,
        )
    except OSError as error:
        raise _UserError(f"cannot write to {options.out}: {error}") from error
    groups = np.asarray(catalog.groups)[played]
    _say(
        f"{len(played)} songs in {len(set(groups))} groups, "
        f"{heard.plays.shape[1]} users, {heard.plays.nnz} counts.\n"
        f"Learnt from {len(experiment.train)} songs; "
        f"{len(experiment.test)} songs of other groups ranked for "
        f"{experiment.n_users_scored} users who play some of them.\n"
    )
    names = catalog.item_ids[played]
    _say(table(experiment))
    for system in experiment.left_out:
        _say(
            f"{system.name:<24}not run: {system.needs} is not installed "
            "(pip install skcoldstart[neural])"
        )
    _say("")
    _say(listeners_of_a_song(experiment, heard, names, catalog.user_ids))

    _say(f"\n{picture}: the picture")
    _say(f"{recommendations}: first listeners of {what}")


def _make_folder(folder: Path) -> None:
    """Make the folder, and find out now whether files can be written to it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _UserError(f"cannot write to --out {folder}: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
