"""Memory of a pipeline over thousands of clips: its stated bound, not their frames."""

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import soundfile

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.path.exists("/proc/self/status"), reason="reads memory as Linux tells it"
    ),
]

N_FILES, N_CLIPS = 100, 3_000
N_FRAMES, N_FEATURES = 690, 39
MAX_FRAMES, N_CODEWORDS = 20_000, 50
SHARD_BYTES = 1 << 23

SCRIPT = textwrap.dedent(f"""
    import json, re, sys, threading, time
    from pathlib import Path

    from sklearn.pipeline import make_pipeline

    from skcoldstart import BagOfWords, MFCCExtractor, VectorQuantizer
    from skcoldstart.audio import _store

    _store._SHARD_BYTES = {SHARD_BYTES}
    paths = sorted(Path(sys.argv[1]).glob("*.wav"))
    options = json.loads(sys.argv[2])

    def n_bytes_of_our_own():
        # Pages of mapped files are given back whenever others need them.
        status = Path("/proc/self/status").read_text()
        return 1024 * int(re.search(r"RssAnon:\\s+(\\d+)", status)[1])

    pipeline = make_pipeline(
        MFCCExtractor(hop_length=64, n_jobs=2, **options),
        VectorQuantizer({N_CODEWORDS}, max_frames={MAX_FRAMES}, random_state=0),
        BagOfWords({N_CODEWORDS}, sparse_output=True),
    )
    pipeline.fit_transform(paths[:70])
    before = peak = n_bytes_of_our_own()
    done = False

    def watch():
        global peak
        while not done:
            peak = max(peak, n_bytes_of_our_own())
            time.sleep(0.002)

    watcher = threading.Thread(target=watch)
    watcher.start()
    pipeline.fit(paths)
    counts = pipeline.transform(paths)
    done = True
    watcher.join()
    print(json.dumps([counts.shape, int(counts.sum()), peak - before]))
""")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Thousands of names for a hundred files of two seconds."""
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for i in range(N_FILES):
        path = folder / f"{i}.wav"
        soundfile.write(path, rng.uniform(-0.5, 0.5, 44_100), 22_050)
        for j in range(i + N_FILES, N_CLIPS, N_FILES):
            os.link(path, folder / f"{j}.wav")
    return folder


@pytest.mark.parametrize("how", ["lazy", "store"])
def test_a_pipeline_over_thousands_of_clips_holds_a_bounded_part(how, clips, tmp_path):
    options = {"lazy": True} if how == "lazy" else {"store": str(tmp_path / "frames")}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, clips, json.dumps(options)],
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    shape, n_counted, grown = json.loads(run.stdout)
    assert shape == [N_CLIPS, N_CODEWORDS]
    assert n_counted == N_CLIPS * N_FRAMES
    frame = 4 * N_FEATURES
    sample = 2 * MAX_FRAMES * frame
    codes = 4.4 * N_CLIPS * N_FRAMES
    counts = 8 * N_CLIPS * N_CODEWORDS
    waiting = 2 * 64 * N_FRAMES * frame + (2 * SHARD_BYTES if how == "store" else 0)
    # What the allocator keeps of memory that was given back to it.
    slack = 24 << 20
    bound = sample + codes + counts + waiting + slack
    assert bound < 0.35 * N_CLIPS * N_FRAMES * frame
    assert grown < bound
