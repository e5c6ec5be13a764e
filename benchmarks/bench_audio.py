"""Audio extractors against librosa: the same numbers, in turns, on one core and two.

    python benchmarks/bench_audio.py [--clips 8] [--rounds 3] [--audio FOLDER]
    python benchmarks/bench_audio.py --what waveforms peers files counts union

``waveforms`` are 29-second clips at 22,050 Hz in memory. ``files`` are the same clips
on disk, decoded, averaged and resampled first: 44.1 kHz stereo ("44s") and 22.05 kHz
mono ("22m"). ``counts`` goes on from files to histograms of 4,000 codewords, with
scikit-learn's KMeans.predict behind librosa, then takes all clips in one call, with one
and with two threads, and tells how long a catalogue of 382,410 clips would take.

``peers`` compares sonara (Rust) and libsonare (C++) with librosa and us, 13 MFCC
without differences and mel power; sonara uses the threads that RAYON_NUM_THREADS names.
``union`` compares `AudioUnion` of MFCC, mel bands and chroma with one decode and the
features alone, in time of the processor. ``embedding`` (with --weights, the wheel of
musicnn) compares `AudioEmbedding` on waveforms with its bare torch module on windows
that are ready, in time of the processor.

Clips are synthetic, or cut from the sound files of a folder. Every round times both
sides on every clip, in turns; a ratio is the median over rounds and clips of one pair
of times. "decoding" is the share of our time that soundfile alone takes for the file.
Differences are the largest over all clips: decibels or coefficients, and the relative
Frobenius norm. One thread means one BLAS thread, too; OPENBLAS_CORETYPE chooses its
kernels.
"""

import argparse
import importlib.util
import os
import platform
import tempfile
import time
import warnings
from pathlib import Path

import joblib
import librosa
import numba
import numpy as np
import scipy
import soundfile
import soxr
from threadpoolctl import threadpool_info, threadpool_limits

import skcoldstart
from skcoldstart import (
    AudioEmbedding,
    AudioUnion,
    BagOfWords,
    LibrosaFeatures,
    MelSpectrogram,
    MFCCExtractor,
    VectorQuantizer,
)
from skcoldstart.audio._reading import Reading

CHOICES = ("waveforms", "peers", "files", "counts", "union", "embedding")
SR, SECONDS, N_CODEWORDS = 22_050, 29, 4_000
CATALOGUE = 382_410
FRAMING = {"sr": SR, "n_fft": 1024, "hop_length": 512, "n_mels": 128}
FORMATS = ["wav", "flac", "ogg", "mp3"]
KINDS = [f"{name} {layout}" for layout in ("44s", "22m") for name in FORMATS]


def librosa_mel(waveform):
    return librosa.feature.melspectrogram(y=waveform, **FRAMING)


def librosa_decibels(waveform):
    return librosa.power_to_db(librosa_mel(waveform)).T


def librosa_log(waveform):
    return np.log1p(10_000.0 * librosa_mel(waveform)).T


def librosa_mfcc(waveform):
    mfcc = librosa.feature.mfcc(y=waveform, n_mfcc=13, **FRAMING)
    deltas = [librosa.feature.delta(mfcc, order=order) for order in (1, 2)]
    return np.vstack([mfcc, *deltas]).T


FEATURES = {
    "mfcc39": (librosa_mfcc, MFCCExtractor()),
    "mel, decibels": (librosa_decibels, MelSpectrogram(compression="db")),
    "mel, log1p": (librosa_log, MelSpectrogram()),
}


def synthesize(n_clips, rate, rng):
    """Make stereo clips of chords with overtones, onsets, noise and a loud end."""
    t = np.arange(SECONDS * rate) / rate
    beat = np.exp(-6.0 * (t % 0.5))
    for _ in range(n_clips):
        roots = rng.choice(np.arange(36, 72), size=(29, 3))
        pitch = 440.0 * 2.0 ** ((roots - 69) / 12.0)
        chord = sum(
            np.sin(2 * np.pi * k * np.cumsum(np.repeat(p, rate)) / rate) / k**1.5
            for p in pitch.T
            for k in range(1, 6)
        )
        hiss = rng.standard_normal((2, len(t))) * beat
        clip = 0.05 * chord * (0.3 + t / SECONDS) + 0.1 * hiss
        yield np.clip(clip.T, -1, 1).astype(np.float32)


def cut(folder, n_clips, rate):
    """Read the beginnings of sound files as stereo clips."""
    paths = (p for p in sorted(Path(folder).rglob("*")) if p.is_file())
    known = {f".{name}" for name in FORMATS}
    for path in [p for p in paths if p.suffix.lower() in known][:n_clips]:
        clip, _ = librosa.load(path, sr=rate, mono=False, duration=SECONDS)
        clip = np.atleast_2d(clip)[:2]
        yield np.broadcast_to(clip, (2, clip.shape[1])).T


def write(clips, rate, folder):
    """Write clips in every format; return paths by kind."""
    paths = {kind: [] for kind in KINDS}
    for i, clip in enumerate(clips):
        mono = librosa.resample(clip.mean(axis=1), orig_sr=rate, target_sr=SR)
        for kind in KINDS:
            name, layout = kind.split()
            path = folder / f"{i}-{layout}.{name}"
            samples, sr = (clip, rate) if layout == "44s" else (mono, SR)
            soundfile.write(path, samples, sr)
            paths[kind].append(path)
    return paths


def clock(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result


def in_turns(peer, ours, items, rounds):
    """Return median times, the median ratio and the results of the last round."""
    for side in (peer, ours):
        side(items[0])
    times, results = [], []
    for _ in range(rounds):
        results = []
        for item in items:
            (a, x), (b, y) = clock(peer, item), clock(ours, item)
            times.append((a, b))
            results.append((x, y))
    times = np.array(times)
    return np.median(times, axis=0), np.median(times[:, 0] / times[:, 1]), results


def differences(results):
    largest = max(np.abs(x - y).max() for x, y in results)
    norm = max(np.linalg.norm(x - y) / np.linalg.norm(x) for x, y in results)
    return largest, norm


def bench_waveforms(waveforms, rounds):
    print(f"\nWaveforms, {len(waveforms)} clips of {SECONDS} s, one thread")
    print(f"{'':15}{'librosa':>10}{'ours':>8}{'ratio':>8}{'largest':>12}{'norm':>9}")
    for name, (peer, extractor) in FEATURES.items():
        with threadpool_limits(1):
            (a, b), ratio, results = in_turns(
                peer, lambda y, e=extractor: e.transform([y])[0], waveforms, rounds
            )
        largest, norm = differences(results)
        print(
            f"{name:15}{a * 1e3:7.1f} ms{b * 1e3:5.2f} ms{ratio:7.1f}x"
            f"{largest:12.1e}{norm:9.0e}"
        )
    many = waveforms * 4
    print(f"\nThe same, clips a second{'1 thread':>16}{'2 threads':>12}{'gain':>8}")
    for name, (peer, extractor) in FEATURES.items():
        speeds = {"librosa": [], "ours": []}
        for n_jobs in (1, 2):
            with threadpool_limits(1):
                pool = joblib.Parallel(n_jobs=n_jobs, prefer="threads")
                tasks = [joblib.delayed(peer)(y) for y in waveforms]
                extractor.set_params(n_jobs=n_jobs)
                pairs = [
                    (clock(pool, tasks)[0], clock(extractor.transform, many)[0])
                    for _ in range(rounds)
                ]
            a, b = np.median(pairs, axis=0)
            speeds["librosa"].append(len(waveforms) / a)
            speeds["ours"].append(len(many) / b)
        extractor.set_params(n_jobs=None)
        for side, (one, two) in speeds.items():
            print(f"{name:15}{side:9}{one:16.0f}{two:12.0f}{two / one:7.1f}x")
        gain = speeds["ours"][1] / speeds["librosa"][0]
        print(f"{'':15}2 threads against one of librosa{gain:19.1f}x")


def decode(path):
    with soundfile.SoundFile(path) as file:
        is_pcm = file.format == "WAV" and file.subtype == "PCM_16"
        return file.read(dtype="int16" if is_pcm else "float32")


def sonare_mfcc(waveform):
    import libsonare

    options = {name: FRAMING[name] for name in ("n_fft", "hop_length", "n_mels")}
    mfcc = libsonare.mfcc(waveform, SR, n_mfcc=13, **options)
    return np.reshape(mfcc.coefficients, (13, -1)).T


def sonare_mel(waveform):
    import libsonare

    options = {name: FRAMING[name] for name in ("n_fft", "hop_length", "n_mels")}
    mel = libsonare.mel_spectrogram(waveform, SR, **options)
    return np.reshape(mel.power, (FRAMING["n_mels"], -1)).T


def sonara_mfcc(waveform):
    import sonara

    return sonara.mfcc(y=waveform, n_mfcc=13, **FRAMING).T


def sonara_mel(waveform):
    import sonara

    return sonara.melspectrogram(y=waveform, **FRAMING).T


PEERS = {
    "13 MFCC": (
        MFCCExtractor(n_deltas=0),
        {
            "librosa": lambda y: librosa.feature.mfcc(y=y, n_mfcc=13, **FRAMING).T,
            "sonara": sonara_mfcc,
            "libsonare": sonare_mfcc,
        },
    ),
    "mel power": (
        MelSpectrogram(compression=None),
        {
            "librosa": lambda y: librosa_mel(y).T,
            "sonara": sonara_mel,
            "libsonare": sonare_mel,
        },
    ),
}


def bench_peers(waveforms, rounds):
    threads = os.environ.get("RAYON_NUM_THREADS", "all")
    print(f"\nPeers on waveforms, one thread (sonara: {threads})")
    print(f"{'':12}{'peer':12}{'peer':>10}{'ours':>10}{'ratio':>8}{'norm':>9}")
    for name, (extractor, peers) in PEERS.items():
        for library, peer in peers.items():
            if importlib.util.find_spec(library) is None:
                print(f"{name:12}{library:12}  is not installed")
                continue
            with threadpool_limits(1):
                (a, b), ratio, results = in_turns(
                    peer, lambda y, e=extractor: e.transform([y])[0], waveforms, rounds
                )
            print(
                f"{name:12}{library:12}{a * 1e3:7.1f} ms{b * 1e3:7.2f} ms"
                f"{ratio:7.1f}x{differences(results)[1]:9.0e}"
            )


def bench_union(paths, rounds):
    parts = [
        ("mfcc", MFCCExtractor()),
        ("mel", MelSpectrogram()),
        ("chroma", LibrosaFeatures("chroma_stft")),
    ]
    print("\nSeveral extractors at once: union / (one decode + features), one thread")
    titles = ("decode", "features", "union", "ratio", "each alone")
    print(f"{'':10}" + "".join(f"{title:>12}" for title in titles))
    reading = Reading()
    for kind in KINDS:
        files = paths[kind]
        waveforms = [
            reading.clip(i, path, [SR]).waveforms[SR] for i, path in enumerate(files)
        ]
        rows = []
        with threadpool_limits(1):
            union = AudioUnion(parts).fit(files)
            for _ in range(rounds):
                for i, path in enumerate(files):
                    decode = processor_s(reading.clip, i, path, [SR])
                    features = sum(
                        processor_s(e.transform, [waveforms[i]]) for _, e in parts
                    )
                    at_once = processor_s(union.transform, [path])
                    alone = sum(processor_s(e.transform, [path]) for _, e in parts)
                    rows.append((decode, features, at_once, alone))
        rows = np.array(rows)
        decode, features, at_once, alone = np.median(rows, axis=0) * 1e3
        ratio = np.median(rows[:, 2] / (rows[:, 0] + rows[:, 1]))
        print(
            f"{kind:10}{decode:9.1f} ms{features:9.1f} ms{at_once:9.1f} ms{ratio:12.2f}"
            f"{alone / at_once:11.1f}x"
        )


def bench_embedding(paths, weights, rounds):
    import torch

    from skcoldstart.audio._musicnn import load_musicnn
    from skcoldstart.audio._torch.musicnn import MusicNN

    net = MusicNN(load_musicnn(weights, "MSD"))
    waveforms = [librosa.load(path, sr=16_000)[0] for path in paths]
    mel = MelSpectrogram(sr=16_000, n_fft=512, hop_length=256, n_mels=96)
    windows = []
    for frames in mel.transform(waveforms):
        n = len(frames) // 187
        ready = np.asarray(frames[: n * 187]).reshape(n, 187, 96) / np.log(10)
        windows.append(torch.tensor(ready, dtype=torch.float32))
    embedding = AudioEmbedding(weights=weights, device="cpu", precision="float32")

    def bare(ready):
        with torch.inference_mode():
            return net(ready)

    embedding.transform(waveforms[:1]), bare(windows[0])
    pairs = np.array([
        (processor_s(embedding.transform, [waveform]), processor_s(bare, ready))
        for _ in range(rounds)
        for waveform, ready in zip(waveforms, windows, strict=True)
    ])
    rates = np.mean([len(ready) for ready in windows]) / np.median(pairs, axis=0)
    print(
        f"\nmusicnn, windows of 3 s a second, {torch.get_num_threads()} torch threads"
    )
    print(
        f"AudioEmbedding on waveforms {rates[0]:.1f}, bare module {rates[1]:.1f}, ",
        end="",
    )
    print(f"time {np.median(pairs[:, 0] / pairs[:, 1]):.3f} of the bare module's")


def processor_s(function, *arguments):
    """Return the seconds of the processor that a call takes, other work left out."""
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


def bench_files(paths, rounds):
    print("\nFiles to mfcc39, one thread")
    print(
        f"{'':10}{'librosa':>10}{'ours':>9}{'ratio':>8}{'decoding':>10}{'largest':>9}"
    )
    for kind in KINDS:
        with threadpool_limits(1):
            (a, b), ratio, results = in_turns(
                lambda path: librosa_mfcc(librosa.load(path, sr=SR)[0]),
                lambda path: MFCCExtractor().transform([path])[0],
                paths[kind],
                rounds,
            )
            floor = np.median([clock(decode, path)[0] for path in paths[kind]])
        print(
            f"{kind:10}{a * 1e3:7.1f} ms{b * 1e3:6.1f} ms{ratio:7.1f}x"
            f"{floor / b:10.0%}{differences(results)[0]:9.0e}"
        )


def bench_counts(paths, rounds):
    from sklearn.cluster import KMeans

    frames = MFCCExtractor().transform(paths["wav 22m"])
    quantizer = VectorQuantizer(N_CODEWORDS, max_iter=1, random_state=0).fit(frames)
    kmeans = KMeans(N_CODEWORDS, init=quantizer.codebook_, n_init=1, max_iter=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kmeans.fit(frames.values)
    kmeans.cluster_centers_ = quantizer.codebook_.astype(np.float32)
    bag = BagOfWords(N_CODEWORDS)

    def peer(path):
        codes = kmeans.predict(librosa_mfcc(librosa.load(path, sr=SR)[0]))
        return np.bincount(codes, minlength=N_CODEWORDS)

    def ours(paths, n_jobs=1):
        quantizer.set_params(n_jobs=n_jobs)
        codes = quantizer.transform(MFCCExtractor(n_jobs=n_jobs).transform(paths))
        return np.asarray(bag.fit(codes).transform(codes))

    print(f"\nFiles to counts of {N_CODEWORDS} codewords, a file a call, one thread")
    print(
        f"{'':10}{'librosa':>10}{'ours':>9}{'ratio':>8}{'decoding':>10}"
        f"{'counts that differ':>21}"
    )
    for kind in KINDS:
        with threadpool_limits(1):
            (a, b), ratio, results = in_turns(
                peer, lambda path: ours([path])[0], paths[kind], rounds
            )
            floor = np.median([clock(decode, path)[0] for path in paths[kind]])
        moved = sum(np.abs(x - y).sum() / 2 for x, y in results)
        share = moved / sum(x.sum() for x, _ in results)
        print(
            f"{kind:10}{a * 1e3:7.1f} ms{b * 1e3:6.1f} ms{ratio:7.1f}x{floor / b:10.0%}"
            f"{share:21.2%}"
        )

    print(f"\nAll files in a call, clips a second, and hours for {CATALOGUE:,} clips")
    print(f"{'':10}{'threads':>8}{'librosa':>10}{'ours':>8}{'ratio':>8}{'hours':>14}")
    for kind in KINDS:
        for n_jobs in (1, 2):
            pool = joblib.Parallel(n_jobs=n_jobs, prefer="threads")
            tasks = [joblib.delayed(peer)(path) for path in paths[kind]]
            with threadpool_limits(1):
                pairs = [
                    (clock(pool, tasks)[0], clock(ours, paths[kind], n_jobs)[0])
                    for _ in range(rounds)
                ]
            speeds = len(tasks) / np.median(pairs, axis=0)
            ratio = np.median([a / b for a, b in pairs])
            hours = CATALOGUE / speeds / 3600
            print(
                f"{kind:10}{n_jobs:8}{speeds[0]:10.1f}{speeds[1]:8.1f}{ratio:7.1f}x"
                f"{hours[0]:7.1f} ->{hours[1]:4.1f}"
            )


def print_machine():
    versions = {
        "skcoldstart": skcoldstart.__version__,
        "librosa": librosa.__version__,
        "soundfile": f"{soundfile.__version__} ({soundfile.__libsndfile_version__})",
        "soxr": soxr.__version__,
        "numba": numba.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
    print(", ".join(f"{name} {version}" for name, version in versions.items()))
    print(f"Python {platform.python_version()}, {os.cpu_count()} processors", end="")
    for pool in threadpool_info():
        if pool["user_api"] == "blas":
            print(
                f"; {Path(pool['filepath']).parent.name}: {pool['architecture']}",
                end="",
            )
    print(f"; OPENBLAS_CORETYPE {os.environ.get('OPENBLAS_CORETYPE', 'unset')}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--audio", help="folder of sound files to cut clips from")
    parser.add_argument("--weights", help="wheel of musicnn, for embedding")
    parser.add_argument("--clips", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--what",
        nargs="+",
        choices=list(CHOICES),
        default=list(CHOICES),
    )
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    rate = 2 * SR
    if options.audio:
        clips = list(cut(options.audio, options.clips, rate))
    else:
        clips = list(synthesize(options.clips, rate, rng))
    print_machine()
    with tempfile.TemporaryDirectory() as folder:
        paths = write(clips, rate, Path(folder))
        waveforms = [librosa.load(path, sr=SR)[0] for path in paths["wav 22m"]]
        if "waveforms" in options.what:
            bench_waveforms(waveforms, options.rounds)
        if "peers" in options.what:
            bench_peers(waveforms, options.rounds)
        if "union" in options.what:
            bench_union(paths, options.rounds)
        if "embedding" in options.what and options.weights:
            bench_embedding(paths["wav 22m"], options.weights, options.rounds)
        if "files" in options.what:
            bench_files(paths, options.rounds)
        if "counts" in options.what:
            bench_counts(paths, options.rounds)


if __name__ == "__main__":
    main()
