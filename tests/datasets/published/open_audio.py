"""Files in the forms of open sets that pair sound with listeners, made for tests."""

import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


def write_yambda(folder, listens, *, size="50m", event="listens", row_group_size=1000):
    """Write (uid, item_id, timestamp, ratio) rows, sorted by user and time."""
    uid, item, time, ratio = map(np.array, zip(*sorted(listens), strict=True))
    columns = {
        "uid": pa.array(uid, pa.uint32()),
        "item_id": pa.array(item, pa.uint32()),
        "timestamp": pa.array(time, pa.uint32()),
        "is_organic": pa.array(np.ones(len(uid)), pa.uint8()),
    }
    if event == "listens":
        columns["played_ratio_pct"] = pa.array(ratio, pa.uint16())
        columns["track_length_seconds"] = pa.array(np.full(len(uid), 200), pa.uint32())
    path = folder / "flat" / size / f"{event}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, row_group_size=row_group_size)
    return folder


def write_yambda_artists(folder, pairs):
    artist, item = map(list, zip(*pairs, strict=True))
    kind = pa.uint32()
    table = {"artist_id": pa.array(artist, kind), "item_id": pa.array(item, kind)}
    pq.write_table(pa.table(table), folder / "artist_item_mapping.parquet")


def write_yambda_embeddings(folder, items, X, row_group_size=100):
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    lists = pa.list_(pa.float64())
    table = {
        "item_id": pa.array(items, pa.uint32()),
        "embed": pa.array(X.tolist(), lists),
        "normalized_embed": pa.array(unit.tolist(), lists),
    }
    path = folder / "embeddings.parquet"
    pq.write_table(pa.table(table), path, row_group_size=row_group_size)


def write_melon(folder, songs, playlists, spectrograms):
    """Write songs, playlists by split, and spectrograms of (48, n_frames)."""
    (folder / "song_meta.json").write_text(
        json.dumps(songs, ensure_ascii=False), "utf-8"
    )
    for split, lists in playlists.items():
        entries = [
            {
                "id": number,
                "plylst_title": "",
                "songs": of_list,
                "tags": ["록"],
                "like_cnt": 1,
                "updt_date": "2014-03-02 00:00:00.000",
            }
            for number, of_list in lists.items()
        ]
        (folder / f"{split}.json").write_text(json.dumps(entries), "utf-8")
    archives = {}
    for song, bands in spectrograms.items():
        content = io.BytesIO()
        np.save(content, bands)
        archives.setdefault(song // 16_000, []).append((song, content.getvalue()))
    for number, members in archives.items():
        with tarfile.open(folder / f"arena_mel_{number}.tar", "w") as archive:
            for song, content in members:
                member = tarfile.TarInfo(f"{song // 1000}/{song}.npy")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return folder


def write_music4all(folder, events, songs=(), audio=()):
    rows = ["user_id\ttrack_id\ttimestamp", *("\t".join(event) for event in events)]
    text = "\n".join(rows) + "\n"
    (folder / "userid_trackid_timestamp.tsv").write_text(text, "utf-8")
    if songs:
        rows = ["id\tartist\tsong\talbum_name", *("\t".join(song) for song in songs)]
        text = "\n".join(rows) + "\n"
        (folder / "id_information.csv").write_text(text, "utf-8")
    for track in audio:
        path = folder / "audio" / f"{track}.mp3"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    return folder


def listen(user, time, mapped=None, sent=None, **more):
    """Return a line of a file of listens."""
    track = {"artist_name": "A", "track_name": "B", "additional_info": {}}
    if mapped:
        track["mbid_mapping"] = {"recording_mbid": mapped, "artist_mbids": []}
    if sent:
        track["additional_info"]["recording_mbid"] = sent
    row = {"user_name": user, "listened_at": time, "track_metadata": track}
    return json.dumps(row | more)


def write_listens(folder, months):
    """Write lines by "year/month"."""
    for month, lines in months.items():
        path = folder / "listens" / f"{month}.listens"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return folder / "listens"


def pack_listens(folder, path, codec=None):
    """Pack a folder of listens as a dump is packed."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add(folder, "listenbrainz-listens-dump-1-full/listens")
    with pa.OSFile(str(path), "wb") as sink:
        if codec is None:
            sink.write(content.getvalue())
        else:
            with pa.CompressedOutputStream(sink, codec) as stream:
                stream.write(content.getvalue())
    return path


def write_acousticbrainz(folder, documents):
    for mbid, document in documents.items():
        path = folder / "lowlevel" / mbid[:2] / mbid[2] / f"{mbid}-0.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(document))
    return folder
