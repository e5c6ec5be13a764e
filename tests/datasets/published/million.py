"""Files in the form of the Million Song Dataset, made for tests."""

import numpy as np

TABLES = {  # fields by table and type
    "metadata/songs": {
        "S1024": "artist_name title release",
        "S32": "artist_id song_id",
        "<f8": "artist_hotttnesss song_hotttnesss",
    },
    "analysis/songs": {
        "S32": "track_id",
        "<f8": "duration tempo loudness",
        "<i4": "key mode time_signature "
        "idx_segments_timbre idx_segments_start idx_segments_pitches",
    },
    "musicbrainz/songs": {"<i4": "idx_artist_mbtags year"},
}
SONGS = {
    table: [(name, kind) for kind, names in fields.items() for name in names.split()]
    for table, fields in TABLES.items()
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
