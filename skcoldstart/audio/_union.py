"""AudioUnion: read each file once for several extractors."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

import numpy as np
from sklearn.base import clone

from skcoldstart._sequences.checks import label_rows, labels_of
from skcoldstart._sequences.ragged import LazySequence
from skcoldstart._utils.sk import _BaseComposition
from skcoldstart.audio._extractor import AudioExtractor, AudioReader, Reader
from skcoldstart.audio._runs import LazyFrames, join_frames

# Reading options, which the union sets for all extractors.
_READING = ("reader", "max_duration", "on_error", "salvage", "lazy")


class UnionFrames(LazySequence):
    """Frames of several extractors: joined by position, or of one kind by name.

    A sequence of n_items whose item i is (n_frames_i, n_features), the concatenated
    features of all extractors; a slice, an integer array or a mask gives another
    `UnionFrames`. Indexing by a name returns the frames of that extractor.

    .. versionadded:: 0.2
    """

    def __init__(self, parts: Mapping[str, Any], joined: LazySequence) -> None:
        super().__init__(joined.__getitem__, range(len(joined)))
        self._parts = dict(parts)
        self._joined = joined

    def keys(self) -> list[str]:
        """Return the names of the extractors."""
        return list(self._parts)

    def items(self) -> list[tuple[str, Any]]:
        """Return names and the frames of each extractor."""
        return list(self._parts.items())

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(self._joined)

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, str):
            return super().__getitem__(key)
        if key not in self._parts:
            raise KeyError(f"{key!r} is not one of {self.keys()}")
        return self._parts[key]

    def _select(self, sources: Sequence[int]) -> "UnionFrames":
        chosen = np.asarray(sources, np.int64)
        parts = {name: part[chosen] for name, part in self._parts.items()}
        return UnionFrames(parts, self._joined[chosen])

    def __repr__(self) -> str:
        kinds = ", ".join(f"{name}: {part!r}" for name, part in self.items())
        return f"UnionFrames({len(self)} items, {kinds})"


class AudioUnion(AudioReader, _BaseComposition):
    """Read each file once, and compute the frames of several extractors.

    Decoding takes most of the time of compressed files. One pass computes several kinds
    of frames, for example for a codebook and a network, or for a codebook of timbre,
    harmony and rhythm.

    Parameters
    ----------
    extractors : list of (str, extractor)
        Names, and extractors of this package: `MFCCExtractor`, `MelSpectrogram`,
        `LibrosaFeatures`, `AudioEmbedding`. Their options of reading (`reader`,
        `max_duration`, `on_error`, `salvage`, `lazy`) must not be set: those of the
        union are used. An extractor may have a `store` of its own.
    <reading>

    See Also
    --------
    sklearn.pipeline.FeatureUnion : Joins rows; it would read each file several times.
    FramePooling : Pools frames to rows.

    Notes
    -----
    The frames are bit for bit the same as those of each extractor alone. An item that
    one extractor cannot use has no frames of any kind.

    Frames can be joined if extractors have the same ``sr`` and ``hop_length``. Each
    kind can always be used by its name. Extractors with `pooling` have a row for each
    item: if all of them do, `transform` returns their joined rows. Extractors with
    different ``sr`` require paths, because a waveform has one sampling rate.

    .. versionadded:: 0.2

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import AudioUnion, MelSpectrogram, MFCCExtractor
    >>> noise = np.random.default_rng(0).uniform(-0.5, 0.5, 22050)
    >>> union = AudioUnion([("mfcc", MFCCExtractor()), ("mel", MelSpectrogram())])
    >>> frames = union.fit_transform([noise, noise[:10000]])
    >>> frames[0].shape
    (44, 167)
    >>> frames["mel"]
    RaggedArray(2 items, 64 rows x 128, float32)
    """

    _parameter_constraints: dict = {
        **AudioReader._parameter_constraints,
        "extractors": [list],
    }

    def __init__(
        self,
        extractors: list[tuple[str, Any]],
        *,
        reader: Reader = "auto",
        max_duration: float | None = None,
        on_error: str = "raise",
        salvage: bool = False,
        lazy: bool = False,
        store: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.extractors = extractors
        self.reader = reader
        self.max_duration = max_duration
        self.on_error = on_error
        self.salvage = salvage
        self.lazy = lazy
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        return self._get_params("extractors", deep=deep)

    def set_params(self, **params: Any) -> Self:
        self._set_params("extractors", **params)
        return self

    def transform(self, X: Any) -> Any:
        """Compute the frames of every item.

        Parameters
        ----------
        X : sequence of n_items paths or waveforms
            As those of each extractor.

        Returns
        -------
        UnionFrames of n_items, or ndarray of shape (n_items, n_features)
            Item i is (n_frames_i, n_features), the features of all extractors; a name
            selects the frames of one: ``frames["mel"]``. An array of rows if all
            extractors have `pooling`.

        Raises
        ------
        AudioReadError
            If an item cannot be used and ``on_error="raise"``.
        ValueError
            If names or parameters contradict each other, or on access of an item whose
            frames cannot be joined.
        """
        self._validate_params()
        extractors = self._checked()
        names = [name for name, _ in extractors]
        analyses = [extractor._analysis() for _, extractor in extractors]
        run = replace(self._run(tuple(analyses), X), names=names)
        everything = range(len(run.items))
        stores = [
            self.store if extractor.store is None else extractor.store
            for _, extractor in extractors
        ]
        folders = [store for store in stores if store is not None]
        if folders and len(folders) < len(stores):
            kept = [name for name, store in zip(names, stores, strict=True) if store]
            raise ValueError(
                f"{kept} have a store and the other extractors have none. Set "
                f"store of the AudioUnion, which applies to all."
            )
        frames: Sequence[Any]
        if folders:
            frames, self.errors_ = run.in_stores(folders)
        elif self.lazy:
            kinds = [replace(run.extract, analyses=(kind,)) for kind in analyses]
            runs = [replace(run, extract=extract) for extract in kinds]
            frames, self.errors_ = [LazyFrames(run, everything) for run in runs], []
        else:
            frames, self.errors_ = run.in_memory()
        parts = {}
        for (name, extractor), part in zip(extractors, frames, strict=True):
            part.index = labels_of(X)
            parts[name] = extractor._pooled(part, None)
        if self._gives_rows:
            return label_rows(np.hstack(list(parts.values())), X, self)
        if self.lazy and not folders:
            joined: LazySequence = LazyFrames(run, everything)
        else:
            joined = LazySequence(partial(_joined, parts), everything)
        union = UnionFrames(parts, joined)
        union.index = labels_of(X)
        return union

    def _check(self, X: Any) -> None:
        self.extractors_ = [
            (name, clone(extractor).fit(X)) for name, extractor in self._checked()
        ]

    def _names(self) -> list[str]:
        return [
            f"{name}__{feature}"
            for name, extractor in self._checked()
            for feature in extractor.get_feature_names_out()
        ]

    @property
    def _gives_rows(self) -> bool:
        pairs = self.extractors if isinstance(self.extractors, list) else []
        return bool(pairs) and all(
            getattr(pair[-1], "pooling", None) is not None for pair in pairs
        )

    def _checked(self) -> list[tuple[str, Any]]:
        """Return the extractors after checking names and types."""
        if not self.extractors:
            raise ValueError(
                "extractors is empty; pass at least one (name, extractor)."
            )
        if not all(
            isinstance(p, tuple | list) and len(p) == 2 and isinstance(p[0], str)
            for p in self.extractors
        ):
            raise TypeError(
                f"extractors is {self.extractors!r:.200}; expected a list of pairs "
                "(name, extractor)."
            )
        for name, extractor in self.extractors:
            if not isinstance(extractor, AudioExtractor):
                raise TypeError(
                    f"{name!r} is a {type(extractor).__name__}; expected an extractor "
                    "of this package, such as MFCCExtractor()."
                )
            extractor._validate_params()
            fresh = type(extractor)()
            for option in _READING:
                value = getattr(extractor, option)
                known = (getattr(fresh, option), getattr(self, option))
                if value not in known:
                    raise ValueError(
                        f"{name!r} has {option}={value!r}, but files are read once for "
                        f"all extractors. Set {option} of the AudioUnion."
                    )
        self._validate_names([name for name, _ in self.extractors])
        return self.extractors


def _joined(parts: dict[str, Any], index: int) -> np.ndarray:
    """Return the joined frames of an item."""
    rows = [name for name, part in parts.items() if isinstance(part, np.ndarray)]
    if rows:
        raise ValueError(
            f"{rows} have a row for each item, which cannot be joined to frames. "
            "Use each kind by its name."
        )
    return join_frames([part[index] for part in parts.values()], list(parts), index)
