"""Triplets: whatever the file, the matrix is that of a plain reading of it."""

import bz2
import gzip
import lzma
import zipfile
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skcoldstart.datasets import load_taste_profile
from skcoldstart.datasets.published import _taste_profile
from tests.datasets.conftest import counts_of

LINES = "u2\tSB\t3\nu1\tSA\t1\nu1\tSB\t2\n"


def plain_reading(text):
    """Read triplets line by line; return counts by song and user."""
    counts = Counter()
    for line in text.split("\n"):
        if line.strip("\r"):
            user, song, plays = line.strip("\r").split("\t")
            counts[song, user] += int(plays)
    return counts


def test_rows_are_songs_and_names_are_sorted(write):
    taste = load_taste_profile(write(LINES))
    assert taste.item_ids.tolist() == ["SA", "SB"]
    assert taste.user_ids.tolist() == ["u1", "u2"]
    assert_array_equal(taste.plays.toarray(), [[1, 0], [2, 3]])
    assert taste.plays.dtype == np.float32 and taste.plays.format == "csr"
    assert taste.plays.has_canonical_format
    assert (taste.n_lines, taste.n_dropped, taste.n_duplicates) == (3, 0, 0)
    assert taste.DESCR.startswith("6 plays of 2 songs by 2 users (3 pairs)")


@pytest.mark.parametrize(
    "text",
    [
        LINES.replace("\n", "\r\n"),
        LINES.rstrip("\n"),
        "\ufeff" + LINES,
        LINES.replace("\n", "\n\n"),
        "\r\n" + LINES + "\n\n",
        LINES.replace("\n", "\r\n").rstrip("\n"),
    ],
)
def test_line_ends_and_marks_change_nothing(write, text):
    taste = load_taste_profile(write(text))
    assert counts_of(taste) == plain_reading(LINES)
    assert taste.n_lines == 3


def test_zip_archive_of_one_file_is_read_and_others_are_refused(tmp_path):
    path = tmp_path / "train_triplets.txt.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("folder/train_triplets.txt", LINES)
    assert counts_of(load_taste_profile(path)) == plain_reading(LINES)
    whole = path.read_bytes()
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other.txt", LINES)
    with pytest.raises(ValueError, match=r"archive of 2 files; expected one"):
        load_taste_profile(path)
    data = bytearray(whole)
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(header) + flags] |= 1  # says that a password is needed
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"txt\.zip is an encrypted archive; extract"):
        load_taste_profile(path)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files_are_read_and_cut_off_ones_named(write, pack, rng):
    text = "".join(f"u{i}\tS{rng.integers(1e9)}\t1\n" for i in range(2000))
    packed = pack(text.encode())
    assert counts_of(load_taste_profile(write(packed))) == plain_reading(text)
    for n_bytes in (len(packed) - 20, 60):
        with pytest.raises(ValueError, match=r"table\.tsv .*(damaged|empty|line)"):
            load_taste_profile(write(packed[:n_bytes]))


NAME = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters="\x7f\x85"),
    min_size=1,
    max_size=40,
)


@settings(max_examples=60, deadline=None)
@given(
    users=st.lists(NAME, min_size=1, max_size=6, unique=True),
    songs=st.lists(NAME, min_size=1, max_size=6, unique=True),
    picks=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 10**6)),
        min_size=1,
        max_size=40,
    ),
    chunk=st.integers(40, 400),
)
def test_matrix_is_that_of_a_plain_reading_for_any_names(
    tmp_path_factory, users, songs, picks, chunk
):
    text = "".join(
        f"{users[u % len(users)]}\t{songs[s % len(songs)]}\t{n}\n" for u, s, n in picks
    )
    path = tmp_path_factory.mktemp("triplets") / "t.txt"
    path.write_text(text, "utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_taste_profile, "CHUNK_BYTES", chunk)
        patch.setattr(_taste_profile, "CHUNK_PAIRS", 7)
        taste = load_taste_profile(path)
    expected = plain_reading(text)
    assert counts_of(taste) == expected
    assert taste.item_ids.tolist() == sorted({song for song, _ in expected})
    assert taste.n_duplicates == len(picks) - len(expected)


def test_many_names_outgrow_every_table(write, rng):
    users = [f"{rng.integers(2**60):015x}" * (1 + i % 9) for i in range(30_000)]
    text = "".join(f"{u}\tSO{i:07d}\t{1 + i % 5}\n" for i, u in enumerate(users))
    taste = load_taste_profile(write(text))
    assert taste.plays.shape == (30_000, 30_000)
    assert counts_of(taste) == plain_reading(text)


def test_names_that_begin_alike_are_told_apart(write):
    # Lengths around the words in which names are compared.
    names = [("a" * n) + last for n in range(26) for last in "xy"]
    text = "".join(f"{name}\t{name[::-1]}\t1\n" for name in names)
    taste = load_taste_profile(write(text))
    assert taste.user_ids.tolist() == sorted(names)
    assert counts_of(taste) == plain_reading(text)


def test_mismatches_are_dropped_with_the_users_that_they_leave_without(write):
    listed = write("ERROR: <SOB TRX> A  -  B  !=  C  -  D\n", "m.txt")
    path = write("u\tSOB\t5\nv\tSOA\t2\nu\tSOB\t1\n")
    for mismatches in (listed, ["SOB"], np.array(["SOB", "SOZ"])):
        taste = load_taste_profile(path, mismatches=mismatches)
        assert taste.item_ids.tolist() == ["SOA"] and taste.user_ids.tolist() == ["v"]
        assert (taste.n_lines, taste.n_dropped, taste.n_duplicates) == (3, 2, 0)


def test_only_wanted_songs_are_kept(write):
    taste = load_taste_profile(write(LINES), songs=["SA", "SC"])
    assert taste.item_ids.tolist() == ["SA"]
    assert taste.n_dropped == 2
    with pytest.raises(ValueError, match=r"None of the 3 triplets .* is left"):
        load_taste_profile(write(LINES), songs=["SC"])
    with pytest.raises(TypeError, match=r"songs is 'SA'; expected an iterable"):
        load_taste_profile(write(LINES), songs="SA")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"is empty; expected lines of a user, a tab"),
        ("\n\n", r"is empty"),
        (LINES + "u\tS\t1.5\n", r"line 4: plays is '1\.5'; expected .* whole number"),
        (LINES + "\nu\tS\t-1\n", r"line 5: plays is '-1'"),
        ("u\tS\t0\n", r"line 1: plays is '0'"),
        ("u\tS\t\n", r"line 1: plays is ''"),
        ("u\tS\t 1\n", r"line 1: plays is ' 1'"),
        ("u\tS\t1234567890\n", r"plays is '1234567890'"),
        ("user\tsong\tplays\n" + LINES, r"line 1: plays is 'plays'"),
        ("u\tS\n", r"line 1: 'u\\tS' has 2 fields"),
        ("u\tS\t1\t2\n", r"has 4 fields"),
        ("u,S,1\n", r"line 1: 'u,S,1' has 1 fields"),
        ("\tS\t1\n", r"line 1: user is empty"),
        ("u\t\t1\n", r"line 1: song is empty"),
        (LINES + "u\tS", r"line 4: 'u\\tS' has 2 fields"),
        ("u" * 300 + "\tS\t1\n", r"line 1: a name has more than 255 bytes"),
        ("u" * 9000, r"line 1: a name has more than 255 bytes"),
        (LINES.encode("utf-16"), r"line 1: .* control characters; it is not UTF-8"),
        (b"u\xff\tS\t1\n", r"not UTF-8 text .*: b'u\\xff'"),
    ],
)
def test_faulty_lines_are_named(write, text, message):
    with pytest.raises(ValueError, match=message) as error:
        load_taste_profile(write(text))
    assert "table.tsv" in str(error.value)


def test_fault_behind_many_chunks_has_its_line(write):
    lines = "".join(f"u{i // 7}\tS{i}\t1\n" for i in range(5000))
    text = 200 * lines + "u\tS\tx\n"
    with pytest.raises(ValueError, match=r"line 1000001: plays is 'x'"):
        load_taste_profile(write(text))


def test_folder_and_missing_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"is a folder; expected a file"):
        load_taste_profile(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"nowhere"):
        load_taste_profile(tmp_path / "nowhere")
