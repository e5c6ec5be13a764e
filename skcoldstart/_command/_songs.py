"""Songs with their plays and content, from the files in the options."""

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from skcoldstart._command._console import UserError, explained, say
from skcoldstart._command._content import content_of, kinds_of_columns
from skcoldstart._utils.sk import _safe_indexing


@dataclass(frozen=True)
class Songs:
    """Songs with plays, and their content."""

    plays: sp.csr_array
    item_ids: np.ndarray
    user_ids: np.ndarray
    groups: np.ndarray | None
    paths: list[str] | None
    kinds: dict[str, str]
    content: Any

    def rows(self, chosen: np.ndarray) -> Any:
        """Return the content of some songs."""
        return _safe_indexing(self.content, chosen)


def content_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the reading options of audio."""
    return {
        "reader": options.reader,
        "n_jobs": options.jobs,
        "verbose": int(not options.quiet),
    }


def load_songs(options: argparse.Namespace) -> Songs:
    """Load the songs with plays."""
    from skcoldstart.datasets import load_catalog

    with explained():
        catalog = load_catalog(
            options.plays,
            options.audio,
            options.groups,
            files=options.files,
            metadata=options.metadata,
        )
        kinds: dict[str, str] = {}
        if catalog.metadata is not None:
            kinds, left_out = kinds_of_columns(catalog.metadata)
            if not kinds and catalog.paths is None:
                raise UserError(
                    f"--metadata has no usable column: {', '.join(left_out)} are ids "
                    f"or have one value."
                )
            if not options.json:
                read = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
                say(f"Columns read: {read or 'none'}.")
        content = content_of(catalog, kinds)
    played = np.flatnonzero(~catalog.is_new)
    songs = Songs(
        catalog.plays[played],
        catalog.item_ids[played],
        catalog.user_ids,
        None if catalog.groups is None else np.asarray(catalog.groups)[played],
        None if catalog.paths is None else [catalog.paths[i] for i in played],
        kinds,
        content,
    )
    # Rows are selected once, here, so that all tables have the same order.
    return Songs(**{**vars(songs), "content": songs.rows(played)})
