"""``demo``: the paper's systems on synthetic music, or on your own catalogue."""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from skcoldstart._command._console import (
    NO_GROUPS,
    UserError,
    explained,
    make_folder,
    plain,
    say,
)


def demo(options: argparse.Namespace) -> None:
    if options.plays is None:
        _synthetic_music(options)
    else:
        _own_music(options)


@contextmanager
def _scratch_folder() -> Iterator[str]:
    folder = tempfile.mkdtemp()
    try:
        yield folder
    finally:
        # After Ctrl-C, workers finish their current songs and write them to the folder
        # that is being removed.
        for _ in range(100):
            shutil.rmtree(folder, ignore_errors=True)
            if not os.path.exists(folder):
                break
            time.sleep(0.05)


def _synthetic_music(options: argparse.Namespace) -> None:
    from skcoldstart.datasets import make_music_catalog

    started = time.perf_counter()
    make_folder(options.out)
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
        catalog.item_ids = np.array([
            f"{title}, {artist} ({genre})"
            for title, artist, genre in zip(
                catalog.titles, catalog.artists, catalog.genres, strict=True
            )
        ])
        catalog.is_new = np.zeros(len(catalog.titles), dtype=bool)
        _demonstrate(catalog, options)
    say(f"\n{time.perf_counter() - started:.0f} s in total.")


def _own_music(options: argparse.Namespace) -> None:
    from skcoldstart.datasets import load_catalog

    with explained():
        catalog = load_catalog(options.plays, options.audio, options.groups)
    make_folder(options.out)
    if catalog.groups is None:
        catalog.groups = catalog.item_ids
        say(NO_GROUPS)
    _demonstrate(catalog, options)


def _demonstrate(catalog: Any, options: argparse.Namespace) -> None:
    from skcoldstart._demonstration import DemonstrationError, demonstrate

    try:
        demonstrate(
            catalog,
            options.out,
            n_codewords=options.n_codewords,
            k=options.top_k,
            seed=options.seed,
            reader=options.reader,
            n_jobs=options.jobs,
            verbose=int(not options.quiet),
            say=say,
        )
    except DemonstrationError as error:
        raise UserError(error) from error
    except BrokenPipeError:  # number of printed items
        raise
    except OSError as error:
        raise UserError(f"cannot write to --out: {plain(error)}") from error
