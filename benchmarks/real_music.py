"""Cut long recordings into 29-s clips, make synthetic listeners, and write a catalogue.

    python benchmarks/real_music.py --audio FOLDER --out CATALOGUE
    python -m skcoldstart --plays CATALOGUE/plays.tsv --audio CATALOGUE/audio \
        --groups CATALOGUE/tracks.tsv --out RESULTS

The sound is real, the listeners are synthetic. Each recording
(a track) becomes clips of 29 s. A listener likes what the clips sound like in a fixed,
coarse sense that no system here is given: three numbers per clip, the median spectral
centroid, the share of energy that falls on onsets, and the loudness range, each ranked
over clips. Taste is a normal draw over these, plus a part per track that cannot be
heard; a listener plays a log-normal number of clips, drawn by preference. Clips of a
track are held out together.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import stft
from scipy.stats import rankdata

CLIP_S = 29.0
N_LISTENERS = 600
UNHEARD = 0.5  # standard deviation of a listener's liking of a track, unexplained


def parse_arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def cut(folder, out):
    """Write the clips; return their names, tracks and what is heard in each."""
    names, tracks, heard = [], [], []
    for path in sorted(folder.rglob("*.ogg")):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        length = int(CLIP_S * rate)
        for number in range(len(samples) // length):
            clip = samples[number * length : (number + 1) * length]
            name = f"{path.stem}-{number:02d}.wav"
            soundfile.write(out / name, np.clip(clip, -1, 1), rate, subtype="PCM_16")
            names.append(name)
            tracks.append(path.stem)
            heard.append(describe(clip.mean(axis=1), rate))
    return names, np.array(tracks), np.array(heard)


def describe(clip, rate):
    """Return brightness, abruptness and loudness range of a clip."""
    frequencies, _, spectrum = stft(clip, rate, nperseg=2048, noverlap=1024)
    power = np.abs(spectrum) ** 2 + 1e-12
    energy = power.sum(axis=0)
    centroid = (frequencies[:, None] * power).sum(axis=0) / energy
    rise = np.maximum(np.diff(np.log(power), axis=1), 0).mean(axis=0)
    low, high = np.percentile(10 * np.log10(energy), [10, 95])
    return np.median(centroid), rise.mean(), high - low


def synthetic_plays(tracks, heard, rng):
    """Return play counts of shape (n_clips, n_listeners)."""
    content = np.column_stack([rankdata(column) for column in heard.T])
    content = (content - content.mean(axis=0)) / content.std(axis=0)
    names, track = np.unique(tracks, return_inverse=True)
    liking = content @ rng.normal(size=(heard.shape[1], N_LISTENERS))
    liking += UNHEARD * rng.normal(size=(len(names), N_LISTENERS))[track]
    plays = np.zeros(liking.shape, dtype=int)
    n_played = np.clip(rng.lognormal(2.3, 0.6, N_LISTENERS), 2, len(tracks) // 2)
    for user, n in enumerate(n_played.astype(int)):
        preference = np.exp(2.0 * liking[:, user])
        chosen = rng.choice(
            len(tracks), size=n, replace=False, p=preference / preference.sum()
        )
        plays[chosen, user] = np.ceil(rng.lognormal(0.2, 1.1, n))
    return plays


def write_table(path, header, rows):
    """Write a tab-separated table."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(header)
        writer.writerows(rows)


def main():
    """Write clips, plays and tracks."""
    args = parse_arguments()
    (args.out / "audio").mkdir(parents=True, exist_ok=True)
    names, tracks, heard = cut(args.audio, args.out / "audio")
    plays = synthetic_plays(tracks, heard, np.random.default_rng(args.seed))
    songs, users = plays.nonzero()
    write_table(
        args.out / "plays.tsv",
        ["user", "song", "plays"],
        (
            (f"listener {u}", names[s], plays[s, u])
            for s, u in zip(songs, users, strict=True)
        ),
    )
    write_table(
        args.out / "tracks.tsv", ["song", "artist"], zip(names, tracks, strict=True)
    )
    print(f"{len(names)} clips of {len(set(tracks))} tracks, {len(songs)} pairs")


if __name__ == "__main__":
    main()
