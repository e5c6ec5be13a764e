"""Short pieces of invented music: a score is drawn, then played by FM synthesis."""

from dataclasses import dataclass, replace

import numpy as np

__all__ = ["GENRES", "Genre", "Voice", "draw_score", "draw_voice", "play"]

STEPS_PER_BAR = 16
LONGEST_NOTE_S = 1.2
MAJOR = (0, 2, 4, 5, 7, 9, 11)
MINOR = (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True)
class Voice:
    """What a band sounds like in a single frame, and how fast it plays.

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
    progression: tuple[int, ...]  # scale degrees, one chord each half bar
    beats_per_minute: float
    drums: float  # amplitude, relative to the melody
    hats: float
    hiss: float  # amplitude of the noise floor
    tilt: float = 0.0  # one-tap filter, > 0 dull, < 0 thin


@dataclass(frozen=True)
class Structure:
    """The order in which the same notes and the same drum hits come."""

    name: str
    onsets: tuple[int, ...]  # sixteenths of the six notes of a bar
    drums: str  # the four beats of a bar, Kick or Snare
    direction: int  # 1: chords rise and the progression runs forward; -1: both turn


@dataclass(frozen=True)
class Genre:
    """A family of voices and the order it plays in."""

    name: str
    voice: Voice
    structure: Structure


# Gaps between onsets are 3 3 2 3 3 2 and 3 3 3 3 2 2: as many of each, other order.
RISING = Structure("rising", (0, 3, 6, 8, 11, 14), "KSKS", 1)
FALLING = Structure("falling", (0, 3, 6, 9, 12, 14), "KKSS", -1)

_VOICES = {
    "bells": Voice(
        1.41, 2.2, 0.30, 0.002, 0.55, 69, MINOR, (0, 5, 2, 6), 96, 0.15, 0.10, 0.002
    ),
    "brass": Voice(
        1.0, 3.2, 0.40, 0.040, 0.45, 57, MAJOR, (0, 3, 4, 3), 112, 0.45, 0.12, 0.004
    ),
    "reeds": Voice(
        2.0, 1.8, 0.60, 0.030, 0.50, 60, MINOR, (0, 3, 6, 4), 100, 0.25, 0.10, 0.006
    ),
    "keys": Voice(
        1.0, 1.3, 0.15, 0.003, 0.40, 62, MAJOR, (0, 5, 3, 4), 104, 0.30, 0.12, 0.003
    ),
    "strings": Voice(
        3.0, 1.1, 0.80, 0.090, 0.90, 60, MINOR, (0, 6, 5, 4), 84, 0.12, 0.05, 0.005
    ),
    "plucks": Voice(
        1.0, 4.5, 0.06, 0.002, 0.25, 64, MAJOR, (0, 4, 5, 3), 116, 0.35, 0.18, 0.003
    ),
    "organ": Voice(
        0.5, 1.6, 3.00, 0.015, 1.50, 58, MAJOR, (0, 3, 0, 4), 92, 0.35, 0.10, 0.004
    ),
    "metal": Voice(
        0.71, 4.0, 0.50, 0.004, 0.35, 52, MINOR, (0, 1, 5, 6), 120, 0.60, 0.22, 0.012
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
    """Vary a genre's voice as an artist, then as a song does.

    Parameters
    ----------
    voice : Voice
        The genre's.
    style : ndarray of shape (3,)
        Brightness, pace and weight of the drums, in standard deviations: the part
        of the variation that listeners care about.
    artist_rng, song_rng : Generator
        Sources of the variation that nobody cares about. `artist_rng` must be in the
        same state for every song of an artist.

    Returns
    -------
    Voice
        The song's own.
    """
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
class Score:
    """Notes and drum hits of a piece.

    Arrays of one length are onset (in s), pitch (MIDI number) and velocity of each
    note; `hits` names a drum and gives the onsets and velocities of its hits.
    """

    onset_s: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray
    hits: dict[str, tuple[np.ndarray, np.ndarray]]


def draw_score(
    voice: Voice, structure: Structure, duration_s: float, rng: np.random.Generator
) -> Score:
    """Write a piece that starts anywhere in the four-chord cycle.

    Parameters
    ----------
    voice : Voice
        Its key, chords and tempo.
    structure : Structure
        The order of notes, chords and hits.
    duration_s : float
        Length, in seconds.
    rng : Generator
        Source of the starting point, velocities and small faults of timing.

    Returns
    -------
    Score
        Notes that may still ring when the clip starts have onsets below 0.
    """
    step_s = 15.0 / voice.beats_per_minute
    start = int(rng.integers(STEPS_PER_BAR, 3 * STEPS_PER_BAR))
    n_bars = 4 + int(duration_s / (step_s * STEPS_PER_BAR))
    bars = np.arange(n_bars)

    degrees = np.asarray(voice.progression)[:: structure.direction]
    roots = degrees[np.arange(2 * n_bars) % len(degrees)]
    chords = roots[:, None] + np.array([0, 2, 4])[:: structure.direction]
    scale = np.asarray(voice.scale)
    tones = scale[chords % 7] + 12 * (chords // 7)
    bass = scale[roots % 7] - 24

    melody_steps = bars[:, None] * STEPS_PER_BAR + np.asarray(structure.onsets)
    bass_steps = np.arange(2 * n_bars) * STEPS_PER_BAR // 2
    steps = np.concatenate([melody_steps.ravel(), bass_steps])
    pitch = voice.tonic + np.concatenate([tones.ravel(), bass])

    onset_s, velocity = _humanise(steps - start, step_s, duration_s, rng)
    audible = (velocity > 0) & (rng.random(len(velocity)) < 0.93)

    beats = np.array(list(structure.drums * n_bars))
    hits = {}
    for drum, hit_steps in (
        ("kick", 4 * np.flatnonzero(beats == "K")),
        ("snare", 4 * np.flatnonzero(beats == "S")),
        ("hat", np.arange(0, n_bars * STEPS_PER_BAR, 2)),
    ):
        times, strength = _humanise(hit_steps - start, step_s, duration_s, rng)
        hits[drum] = (times[strength > 0], strength[strength > 0])
    return Score(onset_s[audible], pitch[audible], velocity[audible], hits)


def _humanise(
    steps: np.ndarray, step_s: float, duration_s: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Turn steps into onsets and velocities; what the clip cannot hold gets 0."""
    onset_s = steps * step_s + rng.normal(0.0, 0.004, len(steps))
    velocity = rng.uniform(0.6, 1.0, len(steps))
    velocity[(onset_s < -LONGEST_NOTE_S) | (onset_s >= duration_s)] = 0.0
    return onset_s, velocity


def play(
    score: Score, voice: Voice, duration_s: float, sr: int, rng: np.random.Generator
) -> np.ndarray:
    """Play a score.

    Parameters
    ----------
    score : Score
        Notes and hits.
    voice : Voice
        The band.
    duration_s : float
        Length, in seconds.
    sr : int
        Sampling rate, in Hz.
    rng : Generator
        Source of noise and loudness.

    Returns
    -------
    ndarray of shape (round(duration_s * sr),)
        Mono float32 waveform with its peak between 0.5 and 0.95.
    """
    out = np.zeros(max(1, round(duration_s * sr)), dtype=np.float32)
    pitches, which = np.unique(score.pitch, return_inverse=True)
    notes = _notes(voice, pitches, sr)
    for note, onset_s, velocity in zip(
        which, score.onset_s, score.velocity, strict=True
    ):
        _add(out, notes[note], onset_s, 0.3 * velocity, sr)
    sounds = _drum_sounds(sr, rng)
    for drum, (onsets_s, velocities) in score.hits.items():
        level = voice.hats if drum == "hat" else voice.drums
        for onset_s, velocity in zip(onsets_s, velocities, strict=True):
            _add(out, sounds[drum], onset_s, level * velocity, sr)
    out += voice.hiss * rng.standard_normal(len(out), dtype=np.float32)
    out[1:] += voice.tilt * out[:-1]
    np.tanh(out, out=out)
    out *= rng.uniform(0.5, 0.95) / np.abs(out).max()
    return out


def _notes(voice: Voice, pitches: np.ndarray, sr: int) -> np.ndarray:
    """Return one float32 note a pitch, of shape (n_pitches, n_samples)."""
    length_s = min(4 * voice.decay_s, LONGEST_NOTE_S)
    t = np.arange(int(length_s * sr)) / sr
    hertz = 440.0 * 2.0 ** ((pitches[:, None] - 69.0) / 12.0)
    cycles = hertz * t
    modulator = np.sin((2 * np.pi * (voice.ratio * cycles % 1.0)).astype(np.float32))
    # Sidebands reach f (1 + ratio (I + 1)): hold them below the Nyquist frequency.
    ceiling = np.maximum((0.5 * sr / hertz - 1.0) / voice.ratio - 1.0, 0.0)
    index = np.minimum(voice.index, ceiling).astype(np.float32)
    phase = (2 * np.pi * (cycles % 1.0)).astype(np.float32)
    phase += index * np.exp(-t / voice.index_decay_s).astype(np.float32) * modulator
    release = np.minimum(1.0, (length_s - t) / 0.02)
    envelope = (1 - np.exp(-t / voice.attack_s)) * np.exp(-t / voice.decay_s) * release
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


def _add(
    out: np.ndarray, sound: np.ndarray, onset_s: float, gain: float, sr: int
) -> None:
    first = round(onset_s * sr)
    start, stop = max(first, 0), min(first + len(sound), len(out))
    if start < stop:
        out[start:stop] += np.float32(gain) * sound[start - first : stop - first]
