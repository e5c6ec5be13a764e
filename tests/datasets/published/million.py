"""Files in the form of the Million Song Dataset, made for tests."""

import numpy as np

SONGS = {
    "metadata/songs": [
        ("artist_name", "S1024"),
        ("title", "S1024"),
        ("release", "S1024"),
        ("artist_id", "S32"),
        ("song_id", "S32"),
        ("artist_hotttnesss", "<f8"),
        ("song_hotttnesss", "<f8"),
    ],
    "analysis/songs": [
        ("track_id", "S32"),
        ("duration", "<f8"),
        ("tempo", "<f8"),
        ("loudness", "<f8"),
        ("key", "<i4"),
        ("mode", "<i4"),
        ("time_signature", "<i4"),
        ("idx_segments_timbre", "<i4"),
        ("idx_segments_start", "<i4"),
        ("idx_segments_pitches", "<i4"),
    ],
    "musicbrainz/songs": [("idx_artist_mbtags", "<i4"), ("year", "<i4")],
}


def write_hdf5(path, lengths, first=0, **changes):
    """Write one file of songs with these numbers of segments; return its frames.

    Changes replace datasets by name, with ``__`` for ``/``; None leaves one out.
    """
    import h5py

    rng = np.random.default_rng(first)
    n_songs, n_segments = len(lengths), sum(lengths)
    tables = {
        name: np.zeros(n_songs, np.dtype(fields)) for name, fields in SONGS.items()
    }
    for i in range(n_songs):
        row = tables["metadata/songs"][i : i + 1]
        row["song_id"] = f"SO{first + i}"
        row["title"] = f"Tïtle {first + i}".encode()
        row["artist_id"], row["artist_name"] = f"AR{first + i}", b"Somebody"
        row["song_hotttnesss"] = np.nan
        row = tables["analysis/songs"][i : i + 1]
        row["track_id"], row["tempo"] = f"TR{first + i}", 100.0 + i
        for kind in ("timbre", "start", "pitches"):
            row[f"idx_segments_{kind}"] = sum(lengths[:i])
    datasets = tables | {
        "analysis/segments_timbre": rng.normal(0, 50, (n_segments, 12)),
        "analysis/segments_pitches": rng.random((n_segments, 12)),
        "analysis/segments_start": np.concatenate(
            [np.arange(n) * 0.25 for n in lengths] or [np.empty(0)]
        ),
    }
    for name, value in changes.items():
        datasets[name.replace("__", "/")] = value
    with h5py.File(path, "w") as file:
        for name, value in datasets.items():
            if value is not None:
                file[name] = value
    return datasets
