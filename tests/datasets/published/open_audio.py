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


def melon_song(number, date, artists, genre):
    return {
        "id": number,
        "song_name": f"곡 {number}",
        "issue_date": date,
        "artist_id_basket": artists,
        "song_gn_gnr_basket": [genre],
        "album_id": 1,
    }


def write_melon(folder, songs, playlists, spectrograms):
    """Write songs, playlists by split, and spectrograms of (48, n_frames)."""
    text = json.dumps(songs, ensure_ascii=False)
    (folder / "song_meta.json").write_text(text, "utf-8")
    more = {"plylst_title": "", "tags": ["록"], "updt_date": "2014-03-02 00:00:00.000"}
    for split, lists in playlists.items():
        entries = [{"id": i, "songs": songs} | more for i, songs in lists.items()]
        (folder / f"{split}.json").write_text(json.dumps(entries), "utf-8")
    for song, bands in spectrograms.items():
        content = io.BytesIO()
        np.save(content, bands)
        member = tarfile.TarInfo(f"{song // 1000}/{song}.npy")
        member.size = content.tell()
        content.seek(0)
        with tarfile.open(folder / f"arena_mel_{song // 16_000}.tar", "a") as archive:
            archive.addfile(member, content)
    return folder


def write_music4all(folder, events, songs=(), audio=()):
    tables = {"userid_trackid_timestamp.tsv": [("user_id", "track_id", "timestamp")]}
    tables["userid_trackid_timestamp.tsv"] += events
    if songs:
        header = ("id", "artist", "song", "album_name")
        tables["id_information.csv"] = [header, *songs]
    for name, rows in tables.items():
        text = "".join("\t".join(row) + "\n" for row in rows)
        (folder / name).write_text(text, "utf-8")
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
