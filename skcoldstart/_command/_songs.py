"""Songs with their plays and content, and the steps from content to features."""

import argparse
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skcoldstart._command._console import UserError, explained, say
from skcoldstart._utils.sk import _safe_indexing
from skcoldstart.audio import MFCCExtractor
from skcoldstart.codebook import BagOfWords, VectorQuantizer

SOUND = "(sound)"
IDS = re.compile(r"(song|item|track)?_?(id)?|file(name)?|path|sid", re.IGNORECASE)
_TAGS = r"[^|;,\s][^|;,]*"


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
        return _safe_indexing(self.content, chosen)


def kinds_of_columns(metadata: Any) -> tuple[dict[str, str], list[str]]:
    """Return the columns of content with their kinds, and the other columns.

    Kinds are "number", "category", "tags" (several in a field) and "text".
    """
    import narwhals as nw

    frame = nw.from_native(metadata, eager_only=True)
    kinds, left_out = {}, []
    for name in frame.columns:
        kind = None if IDS.fullmatch(name) else _kind(frame[name])
        if kind is None:
            left_out.append(name)
        else:
            kinds[name] = kind
    return kinds, left_out


def _kind(column: Any) -> str | None:
    if column.dtype.is_numeric() or str(column.dtype) == "Boolean":
        values = column.drop_nulls().to_list()
        return "number" if len(set(values)) > 1 else None
    values = [str(value) for value in column.drop_nulls().to_list()]
    values = [value for value in values if value.strip()]
    different = set(values)
    if len(different) < 2:
        return None
    if sum(bool(re.search(r"[|;]", value)) for value in values) > len(values) / 5:
        return "tags"
    if len(different) <= max(2, len(values) / 2):
        return "category"
    return "text"


def content_of(catalog: Any, kinds: dict[str, str]) -> Any:
    """Return the rows of X: paths, a frame of columns, or a frame of both."""
    if not kinds:
        return list(catalog.paths)
    import narwhals as nw

    frame = nw.from_native(catalog.metadata, eager_only=True)
    missing = [name for name in kinds if name not in frame.columns]
    if missing:
        raise ValueError(
            f"--metadata has no column {', '.join(map(repr, missing))}, which the "
            f"model reads; it has {', '.join(map(repr, frame.columns))}."
        )
    if str(frame.implementation.name) == "PYARROW":
        raise ImportError("--metadata needs pandas or polars: pip install pandas")
    columns = [
        nw.col(name).cast(nw.Float64)
        if kind == "number"
        else nw.col(name).cast(nw.String).fill_null("")
        for name, kind in kinds.items()
    ]
    try:
        chosen = frame.select(columns)
    except Exception as error:
        raise ValueError(
            f"--metadata has values of other types than in fit: {error}"
        ) from error
    if catalog.paths is not None:
        backend = frame.implementation
        sound = nw.new_series(SOUND, list(catalog.paths), nw.String, backend=backend)
        chosen = chosen.with_columns(sound)
    return chosen.to_native()


def make_content(songs: Songs, n_songs: int, options: argparse.Namespace) -> Any:
    """Return the steps from rows of X to features, to be fitted to `n_songs` songs."""
    n_codewords = min(options.n_codewords, 10 * n_songs)
    sound = Pipeline([
        ("mfcc", MFCCExtractor(on_error="warn", **_reading(options))),
        ("codebook", VectorQuantizer(n_codewords, random_state=0)),
        ("counts", BagOfWords(n_codewords, weighting="sqrt")),
        ("scaled", StandardScaler()),
        ("pca", PCA(0.95, random_state=0)),
    ])
    if not songs.kinds:
        return sound
    parts: list[tuple[str, Any, Any]] = []
    numbers = _columns(songs.kinds, "number")
    categories = _columns(songs.kinds, "category")
    if numbers:
        scaled = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True),
            StandardScaler(),
        )
        parts.append(("numbers", scaled, numbers))
    if categories:
        known = OneHotEncoder(
            handle_unknown="infrequent_if_exist", min_frequency=2, dtype=np.float32
        )
        parts.append(("categories", known, categories))
    for kind, params in (
        ("tags", {"token_pattern": _TAGS}),
        ("text", {"sublinear_tf": True, "max_features": 5000}),
    ):
        parts += [
            (name, TfidfVectorizer(dtype=np.float32, **params), name)
            for name in _columns(songs.kinds, kind)
        ]
    if songs.paths is not None:
        parts.append(("sound", sound, SOUND))
    return ColumnTransformer(parts)


def _columns(kinds: dict[str, str], kind: str) -> list[str]:
    return [name for name, found in kinds.items() if found == kind]


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "reader": options.reader,
        "n_jobs": options.jobs,
        "verbose": int(not options.quiet),
    }


def set_reading(content: Any, options: argparse.Namespace) -> None:
    """Let fitted steps read audio with the options of this call."""
    sound = _sound_of(content)
    if sound is not None:
        sound["mfcc"].set_params(**_reading(options))


def usable_songs(content: Any, n_items: int) -> np.ndarray:
    """Return the songs whose audio the last call could use, (n_usable,)."""
    sound = _sound_of(content)
    lost = [] if sound is None else [error.index for error in sound["mfcc"].errors_]
    usable = np.setdiff1d(np.arange(n_items), lost)
    if not len(usable):
        raise UserError("None of the audio files can be used.")
    return usable


def _sound_of(content: Any) -> Any:
    if isinstance(content, ColumnTransformer):
        return content.named_transformers_.get("sound")
    return content


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
    # Rows are selected once, here, so that all tables have the same order.
    return Songs(
        catalog.plays[played],
        catalog.item_ids[played],
        catalog.user_ids,
        None if catalog.groups is None else np.asarray(catalog.groups)[played],
        None if catalog.paths is None else [catalog.paths[i] for i in played],
        kinds,
        _safe_indexing(content, played),
    )
