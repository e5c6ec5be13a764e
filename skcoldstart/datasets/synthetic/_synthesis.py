"""Short pieces of music: a score is drawn, played by FM synthesis, and written."""

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skcoldstart._utils.paths import atomic_write


def write_wav(path: str, waveform: np.ndarray, sr: int, fingerprint: str) -> None:
    """Write 16-bit mono with a comment, completely or not at all.

    Shapes: `waveform` (n_samples,).
    """
    from soundfile import SoundFile

    samples = np.clip(np.rint(waveform * 32768.0), -32768, 32767).astype(np.int16)
    with (
        atomic_write(path, "wb+") as file,
        SoundFile(file, "w", sr, 1, "PCM_16", format="WAV") as sound,
    ):
        sound.comment = fingerprint
        sound.write(samples)


def holds_song(path: str, n_samples: int, fingerprint: str) -> bool:
    """Return whether `write_wav` wrote this file for this waveform."""
    from soundfile import LibsndfileError, SoundFile

    if not os.path.isfile(path):
        return False
    try:
        with SoundFile(path) as sound:
            return len(sound) == n_samples and sound.comment == fingerprint
    except LibsndfileError:
        return False


RELEASE_S = 0.03
MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True)
class Voice:
    """The sound of a band in a single frame, and its tempo.

    Chowning's FM: ``sin(2 pi f t + I(t) sin(2 pi ratio f t))`` with the index
    ``I(t) = index exp(-t / index_decay_s)`` under the envelope
    ``(1 - exp(-t / attack_s)) exp(-t / decay_s)``.
    """

    ratio: float
    index: float
    index_decay_s: float
    attack_s: float
    decay_s: float
    tonic: float  # MIDI number
    scale: tuple[int, ...]
    progression: tuple[int, ...]  # scale degrees, one chord per 8 beats
    beats_per_minute: float
    drums: float  # amplitude, relative to the melody
    hats: float
    hiss: float  # amplitude of the noise floor
    tilt: float = 0.0  # one-tap filter, > 0 dull, < 0 thin


@dataclass(frozen=True)
class Structure:
    """The order of the beats and chords.

    A beat is a degree of the chord and a drum; all of it is damped before the next
    beat. In the eight beats of a chord, each of the four degrees meets each of the two
    drums once, so all structures have the same beats in a different order.
    """

    name: str
    degrees: tuple[int, ...]  # of the scale, above the root of the chord
    drums: str  # K for kick, S for snare
    direction: int  # of the progression: 1 forwards, -1 backwards


@dataclass(frozen=True)
class Genre:
    """A family of voices and its order of beats."""

    name: str
    voice: Voice
    structure: Structure


RISING = Structure("rising", (0, 2, 4, 7, 0, 2, 4, 7), "KSKSSKSK", 1)
FALLING = Structure("falling", (7, 4, 2, 0, 7, 4, 2, 0), "KKSSSSKK", -1)

_VOICES = {
    "bells": Voice(
        1.41, 2.2, 0.30, 0.002, 0.55, 69, MINOR, (0, 5, 2, 6), 144, 0.15, 0.10, 0.002
    ),
    "brass": Voice(
        1.0, 3.2, 0.40, 0.040, 0.45, 57, MAJOR, (0, 3, 1, 4), 168, 0.45, 0.12, 0.004
    ),
    "reeds": Voice(
        2.0, 1.8, 0.60, 0.030, 0.50, 60, MINOR, (0, 3, 6, 4), 150, 0.25, 0.10, 0.006
    ),
    "keys": Voice(
        1.0, 1.3, 0.15, 0.003, 0.40, 62, MAJOR, (0, 5, 3, 4), 156, 0.30, 0.12, 0.003
    ),
    "strings": Voice(
        3.0, 1.1, 0.80, 0.090, 0.90, 60, MINOR, (0, 6, 5, 4), 126, 0.12, 0.05, 0.005
    ),
    "plucks": Voice(
        1.0, 4.5, 0.06, 0.002, 0.25, 64, MAJOR, (0, 4, 5, 3), 174, 0.35, 0.18, 0.003
    ),
    "organ": Voice(
        0.5, 1.6, 3.00, 0.015, 1.50, 58, MAJOR, (0, 2, 3, 4), 138, 0.35, 0.10, 0.004
    ),
    "metal": Voice(
        0.71, 4.0, 0.50, 0.004, 0.35, 52, MINOR, (0, 1, 5, 6), 180, 0.60, 0.22, 0.012
    ),
}

GENRES = tuple(
    Genre(f"{structure.name} {family}", voice, structure)
    for family, voice in _VOICES.items()
    for structure in (RISING, FALLING)
)


def draw_voice(
    voice: Voice,
    style: np.ndarray,
    artist_rng: np.random.Generator,
    song_rng: np.random.Generator,
) -> Voice:
    """Vary a genre's voice by artist and by song: `style` (3,)."""
    brightness, pace, weight = style
    octave, colour, sustain, tilt, hiss = artist_rng.normal(size=5)
    key = song_rng.integers(-4, 5)
    song_tilt, song_hiss = song_rng.normal(size=2)
    return replace(
        voice,
        ratio=voice.ratio * (1 + 0.01 * colour),
        index=voice.index * 2 ** (0.7 * brightness),
        decay_s=voice.decay_s * 2 ** (0.4 * sustain),
        tonic=voice.tonic + float(key) + 3 * octave,
        beats_per_minute=voice.beats_per_minute * 2 ** (0.15 * pace),
        drums=voice.drums * 2 ** (0.8 * weight),
        hats=voice.hats * 2 ** (0.8 * weight),
        hiss=voice.hiss * 2 ** (0.8 * hiss + 0.5 * song_hiss),
        tilt=float(np.tanh(0.25 * tilt + 0.25 * song_tilt)),
    )


@dataclass(frozen=True)
class Events:
    """Sounding events: arrays of equal length.

    `onset_s` and `length_s` are in seconds, an onset below 0 is before the clip;
    `pitch` is a MIDI number, `velocity` an amplitude.
    """

    onset_s: np.ndarray
    length_s: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray


@dataclass(frozen=True)
class Score:
    """A piece: the melody, the bass, and the hits of each drum."""

    melody: Events
    bass: Events
    drums: dict[str, Events]


def draw_score(
    voice: Voice, structure: Structure, duration_s: float, rng: np.random.Generator
) -> Score:
    """Compose a piece that starts at a random place in the cycle of chords."""
    beat_s = 60.0 / voice.beats_per_minute
    n_beats = 2 + int(duration_s / beat_s)
    per_chord = len(structure.degrees)
    start = rng.uniform(0.0, per_chord * len(voice.progression))
    beats = int(start) + np.arange(n_beats)
    onset_s = (beats - start) * beat_s

    chords = np.asarray(voice.progression)[:: structure.direction]
    roots = chords[beats // per_chord % len(chords)]
    degrees = roots + np.asarray(structure.degrees)[beats % per_chord]
    scale = np.asarray(voice.scale)
    pitch = voice.tonic + scale[degrees % 7] + 12 * (degrees // 7)
    bass = voice.tonic + scale[roots % 7] - 24
    drum = np.array(list(structure.drums))[beats % per_chord]
    kick, snare, every = drum == "K", drum == "S", np.ones(n_beats, dtype=bool)

    def events(chosen: np.ndarray, begin: float, end: float, pitch: Any) -> Events:
        """Draw one event in each chosen beat; begin and end are fractions of a beat."""
        n = int(chosen.sum())
        return Events(
            onset_s[chosen] + begin * beat_s + rng.normal(0.0, 0.004, n),
            np.full(n, (end - begin) * beat_s),
            pitch[chosen],
            rng.uniform(0.6, 1.0, n) * (rng.random(n) < 0.93),
        )

    # The melody holds its note over a kick and repeats it over a snare.
    melody = [
        events(kick, 0.0, 1.0, pitch),
        events(snare, 0.0, 0.5, pitch),
        events(snare, 0.5, 1.0, pitch),
    ]
    hats = [events(every, 0.0, 0.5, pitch), events(every, 0.5, 1.0, pitch)]
    return Score(
        _together(melody),
        events(kick, 0.0, 1.0, bass),
        {
            "kick": events(kick, 0.0, 1.0, pitch),
            "snare": events(snare, 0.0, 1.0, pitch),
            "hat": _together(hats),
        },
    )


def _together(parts: list[Events]) -> Events:
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Events(*map(np.concatenate, columns))


def play(
    score: Score, voice: Voice, duration_s: float, sr: int, rng: np.random.Generator
) -> np.ndarray:
    """Synthesize a score, (round(duration_s * sr),)."""
    out = np.zeros(max(1, round(duration_s * sr)), dtype=np.float32)
    for part in (score.melody, score.bass):
        pitches, which = np.unique(part.pitch, return_inverse=True)
        notes = _notes(voice, pitches, float(part.length_s.max(initial=0.0)), sr)
        _mix(out, notes, which, part, 0.3, sr)
    sounds = _drum_sounds(sr, rng)
    for drum, part in score.drums.items():
        level = voice.hats if drum == "hat" else voice.drums
        which = np.zeros(len(part.onset_s), dtype=int)
        _mix(out, sounds[drum][None], which, part, level, sr)
    out += voice.hiss * rng.standard_normal(len(out), dtype=np.float32)
    out[1:] += voice.tilt * out[:-1]
    np.tanh(out, out=out)
    out *= rng.uniform(0.5, 0.95) / np.abs(out).max()
    return out


def _notes(voice: Voice, pitches: np.ndarray, length_s: float, sr: int) -> np.ndarray:
    """Return one float32 note per pitch, of shape (n_pitches, n_samples)."""
    t = np.arange(int(length_s * sr)) / sr
    hertz = 440.0 * 2.0 ** ((pitches[:, None] - 69.0) / 12.0)
    cycles = hertz * t
    modulator = np.sin((2 * np.pi * (voice.ratio * cycles % 1.0)).astype(np.float32))
    # Sidebands reach f (1 + ratio (I + 1)): keep them below the Nyquist frequency.
    ceiling = np.maximum((0.5 * sr / hertz - 1.0) / voice.ratio - 1.0, 0.0)
    index = np.minimum(voice.index, ceiling).astype(np.float32)
    phase = (2 * np.pi * (cycles % 1.0)).astype(np.float32)
    phase += index * np.exp(-t / voice.index_decay_s).astype(np.float32) * modulator
    envelope = (1 - np.exp(-t / voice.attack_s)) * np.exp(-t / voice.decay_s)
    return np.sin(phase, out=phase) * envelope.astype(np.float32)


def _drum_sounds(sr: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    t = np.arange(int(0.25 * sr)) / sr
    sweep = 2 * np.pi * (45 * t + 4.0 * (1 - np.exp(-t / 0.05)))
    noise = rng.standard_normal(len(t))
    bright = np.diff(noise, prepend=0.0)
    sounds = {
        "kick": np.sin(sweep) * np.exp(-t / 0.07),
        "snare": 0.5 * (noise + np.sin(2 * np.pi * 185 * t)) * np.exp(-t / 0.05),
        "hat": 0.5 * bright * np.exp(-t / 0.02),
    }
    return {drum: sound.astype(np.float32) for drum, sound in sounds.items()}


def _mix(
    out: np.ndarray,
    sounds: np.ndarray,
    which: np.ndarray,
    events: Events,
    gain: float,
    sr: int,
) -> None:
    """Add sound ``which[e]`` to `out` for every event e, damped at its end."""
    release = np.linspace(1.0, 0.0, int(RELEASE_S * sr), dtype=np.float32)
    for sound, onset_s, length_s, velocity in zip(
        sounds[which],
        events.onset_s,
        events.length_s,
        events.velocity,
        strict=True,
    ):
        first = round(onset_s * sr)
        note = np.float32(gain * velocity) * sound[: int(length_s * sr)]
        tail = min(len(release), len(note))
        note[len(note) - tail :] *= release[len(release) - tail :]
        start, stop = max(first, 0), min(first + len(note), len(out))
        if start < stop:
            out[start:stop] += note[start - first : stop - first]
