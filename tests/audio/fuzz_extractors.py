"""Extract frames from damaged audio files, and report what became of them.

Run as a script, in a process of its own: what it looks for would end the process.
"""

import argparse
import collections
import functools
import importlib.util
import itertools
import json
import pathlib
import re
import resource
import sys
import time
import warnings

import numpy as np
import soundfile

from skcoldstart import MelSpectrogram, MFCCExtractor
from tests.audio.conftest import encode_file

KINDS = {  # suffix, and subtype of libsndfile or codec of FFmpeg
    "wav16": ("wav", "PCM_16"),
    "wav24": ("wav", "PCM_24"),
    "wavfloat": ("wav", "FLOAT"),
    "flac": ("flac", "PCM_16"),
    "vorbis": ("ogg", "VORBIS"),
    "opus": ("ogg", "OPUS"),
    "mp3": ("mp3", "MPEG_LAYER_III"),
    "aiff": ("aiff", "PCM_16"),
}
FOREIGN = {
    "aac": ("m4a", "aac"),
    "alac": ("mp4", "alac"),
    "adts": ("aac", "aac"),
    "webm": ("webm", "libopus"),
    "wma": ("wma", "wmav2"),
    "avi": ("avi", "libmp3lame"),
}
AT_TIMES_FOREIGN = {"opus", *FOREIGN}
if importlib.util.find_spec("av"):
    KINDS |= FOREIGN
SR, HOP = 22050, 512
N_BATCH = 25

# What fields of headers are set to: nothing, one, and the ends of signed and unsigned.
EXTREMES = [0, 1, 2, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, -1]


def write_clips(folder):
    """Write a third of a second of stereo music in every format; return the bytes."""
    rng = np.random.default_rng(0)
    t = np.arange(8_000) / 24_000
    tones = [np.sin(2 * np.pi * f * t * (1 + t)) for f in (220, 277.2, 1_500)]
    left = 0.2 * sum(tones) + 0.05 * rng.standard_normal(len(t)) * np.exp(-9 * t)
    samples = np.stack([left, 0.7 * left[::-1]], axis=1)
    clips = {}
    for kind, (suffix, subtype) in KINDS.items():
        path = folder / f"{kind}.{suffix}"
        if kind in FOREIGN:
            encode_file(path, samples, 24_000, subtype)
        else:
            soundfile.write(path, samples, 24_000, subtype=subtype)
        clips[kind] = path.read_bytes()
    return clips


def flip_bits(content, rng, others):
    return flip(content, rng, len(content))


def flip_header_bits(content, rng, others):
    return flip(content, rng, 128)


def flip(content, rng, stop):
    damaged = np.frombuffer(content, np.uint8).copy()
    where = rng.integers(0, min(stop, len(damaged)), rng.integers(1, 9))
    damaged[where] ^= np.uint8(1) << rng.integers(0, 8, len(where), dtype=np.uint8)
    return damaged.tobytes()


def rewrite_header_fields(content, rng, others):
    damaged = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        width = int(rng.choice([1, 2, 4, 8]))
        value = int(rng.choice(EXTREMES)) % (1 << 8 * width)
        start = int(rng.integers(0, min(200, len(damaged) - width)))
        order = "little" if rng.random() < 0.5 else "big"
        damaged[start : start + width] = value.to_bytes(width, order)
    return bytes(damaged)


def truncate(content, rng, others):
    return content[: rng.integers(0, len(content))]


def zero_range(content, rng, others):
    start, stop = cut(content, rng)
    return content[:start] + bytes(stop - start) + content[stop:]


def drop_range(content, rng, others):
    start, stop = cut(content, rng)
    return content[:start] + content[stop:]


def repeat_range(content, rng, others):
    start, stop = cut(content, rng)
    return content[:stop] + content[start:stop] * rng.integers(1, 4) + content[stop:]


def splice(content, rng, others):
    """Continue with the end of a file of any format."""
    other = others[rng.integers(len(others))]
    return content[: rng.integers(len(content))] + other[rng.integers(len(other)) :]


def cut(content, rng):
    start = rng.integers(0, len(content))
    return start, min(len(content), start + rng.integers(1, len(content) // 3))


MUTATIONS = [
    flip_bits,
    flip_header_bits,
    rewrite_header_fields,
    truncate,
    zero_range,
    drop_range,
    repeat_range,
    splice,
]


@functools.cache
def crc_table(polynomial, width):
    """Return the table of a checksum that takes the highest bit first."""
    high, mask = 1 << width - 1, (1 << width) - 1
    table = []
    for byte in range(256):
        rest = byte << width - 8
        for _ in range(8):
            rest = (rest << 1 ^ polynomial) if rest & high else rest << 1
        table.append(rest & mask)
    return table


def checksum(content, polynomial, width):
    table, mask, rest = crc_table(polynomial, width), (1 << width) - 1, 0
    for byte in content:
        rest = (rest << 8 & mask) ^ table[rest >> width - 8 ^ byte]
    return rest


def repair_ogg(content):
    """Give every page the checksum of its content, so that decoders look inside."""
    repaired = bytearray(content)
    start = repaired.find(b"OggS")
    while start >= 0:
        n_segments = repaired[start + 26] if start + 26 < len(repaired) else 0
        sizes = repaired[start + 27 : start + 27 + n_segments]
        stop = start + 27 + n_segments + sum(sizes)
        if stop > len(repaired) or len(sizes) < n_segments:
            break
        repaired[start + 22 : start + 26] = bytes(4)
        crc = checksum(repaired[start:stop], 0x04C11DB7, 32)
        repaired[start + 22 : start + 26] = crc.to_bytes(4, "little")
        start = repaired.find(b"OggS", stop)
    return bytes(repaired)


def repair_flac(content):
    """Give every frame that can be found the checksum of its content."""
    repaired = bytearray(content)
    starts = []
    start = repaired.find(b"\xff\xf8", 42)
    while 0 <= start < len(repaired) - 16:
        for n_header in range(5, 16):
            header = repaired[start : start + n_header]
            if checksum(header, 0x07, 8) == repaired[start + n_header]:
                starts.append(start)
                break
        start = repaired.find(b"\xff\xf8", start + 2)
    for start, stop in itertools.pairwise([*starts, len(repaired)]):
        crc = checksum(repaired[start : stop - 2], 0x8005, 16)
        repaired[stop - 2 : stop] = crc.to_bytes(2, "big")
    return bytes(repaired)


REPAIRS = {"vorbis": repair_ogg, "opus": repair_ogg, "flac": repair_flac}


def mutant(kind, seed, clips):
    """Return the bytes of a damaged file, and the name of what was done to it."""
    rng = np.random.default_rng([list(KINDS).index(kind), seed])
    others = list(clips.values())
    content, names = clips[kind], []
    for _ in range(1 + (rng.random() < 0.2)):
        if len(content) < 4:
            break
        change = MUTATIONS[rng.integers(len(MUTATIONS))]
        content = change(content, rng, others)
        names.append(change.__name__)
    if kind in REPAIRS and rng.random() < 0.7:
        content = REPAIRS[kind](content)
        names.append("repair")
    return content, "+".join(names)


def decoded_frames(path, max_duration):
    """Return how many frames the samples that soundfile decodes should have.

    None where it decodes none: PyAV then reads what it can of some formats.
    """
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            n_wanted = -1 if max_duration is None else int(max_duration * rate)
            n_samples = len(file.read(n_wanted, dtype="int16"))
    except soundfile.SoundFileError:
        return None
    return 1 + int(np.ceil(n_samples * (SR / rate))) // HOP


def extract(kind, seeds, clips, folder, extractors):
    """Extract one batch of mutants; return outcomes and what is wrong with them."""
    paths, changes = [], []
    for seed in seeds:
        content, change = mutant(kind, seed, clips)
        path = folder / f"{kind}-{seed}.{KINDS[kind][0]}"
        path.write_bytes(content)
        paths.append(path)
        changes.append(change)
    # What a crash or a hang was about stays readable after it.
    (folder / "batch.txt").write_text(f"{kind}, seeds {seeds[0]} to {seeds[-1]}")
    extractor = extractors[seeds[0] // N_BATCH % len(extractors)]
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frames = extractor.transform(paths)
    seconds = time.perf_counter() - started
    reasons = {error.index: error.reason for error in extractor.errors_}
    outcomes, wrong = collections.Counter(), []
    for index, (seed, path) in enumerate(zip(seeds, paths, strict=True)):
        item, problem = frames[index], None
        if index in reasons:
            outcomes["refused: " + re.sub(r"\d[\d.e+]*", "#", reasons[index])] += 1
            if len(item) or not reasons[index]:
                problem = "is refused, with frames or without a reason"
        else:
            outcomes["frames"] += 1
            if not len(item):
                problem = "has neither frames nor an error"
            elif not np.isfinite(item).all():
                problem = "has features that are not finite"
            elif seed % 5 == 0 and extractor.reader == "auto" and not extractor.salvage:
                expected = decoded_frames(path, extractor.max_duration)
                if expected is None:
                    if kind not in AT_TIMES_FOREIGN:
                        problem = "has frames where libsndfile has no samples"
                elif len(item) != expected:
                    problem = f"has {len(item)} frames, {expected} expected"
        if problem:
            wrong.append(f"{kind} seed {seed} ({changes[index]}) {problem}")
        path.unlink()
    for warning in caught:
        if "may be truncated" not in str(warning.message):
            wrong.append(f"{kind}: {warning.message}")
    return outcomes, wrong, seconds


def peak_mb(usage):
    """Return the most memory that was resident; ru_maxrss begins with the parent's."""
    try:
        status = pathlib.Path("/proc/self/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
    except OSError:
        return usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--mutants", type=int, required=True, help="of each format")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--memory-gb", type=float, default=4.0)
    options = parser.parse_args()
    limit = int(options.memory_gb * (1 << 30))
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    clips = write_clips(options.folder)
    extractors = [
        MFCCExtractor(on_error="ignore"),
        MelSpectrogram(on_error="ignore", dtype="float16"),
        MFCCExtractor(on_error="ignore", max_duration=0.2),
        MFCCExtractor(on_error="ignore", salvage=True),
        MFCCExtractor(on_error="ignore", reader="av"),
    ][: 4 + ("aac" in KINDS)]
    intact = [options.folder / f"{kind}.{KINDS[kind][0]}" for kind in KINDS]
    for extractor in extractors:  # kernels are compiled before anything is timed
        extractor.transform(intact)
        assert extractor.errors_ == []
    report = {"outcomes": {}, "wrong": [], "slowest_batch_s": 0.0}
    for kind in KINDS:
        total = collections.Counter()
        stop = options.first_seed + options.mutants
        for start in range(options.first_seed, stop, N_BATCH):
            seeds = range(start, min(start + N_BATCH, stop))
            outcomes, wrong, seconds = extract(
                kind, seeds, clips, options.folder, extractors
            )
            total += outcomes
            report["wrong"] += wrong
            report["slowest_batch_s"] = max(report["slowest_batch_s"], seconds)
        report["outcomes"][kind] = dict(total.most_common())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    report["peak_mb"] = peak_mb(usage)
    report["cpu_s"] = usage.ru_utime + usage.ru_stime
    json.dump(report, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
