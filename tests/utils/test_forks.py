"""A child forked while another thread works goes on by itself."""

import os
import subprocess
import sys
import textwrap

import pytest

N_FORKS = int(os.environ.get("SKCOLDSTART_FORKS", "30"))
WORK = {
    "WMF": """
        Y = rng.poisson(0.6, (60, 30))
        work = lambda: WMF(3, random_state=0).fit(Y)
    """,
    "draws without a seed": """
        Y = rng.poisson(0.6, (60, 30))
        def work():
            np.random.standard_normal(100_000)
            WMF(3, max_iter=1).fit(Y)
    """,
    "progress bar": """
        Y = rng.poisson(0.6, (60, 30))
        work = lambda: WMF(3, max_iter=3, random_state=0, verbose=1).fit(Y)
    """,
    "recommend": """
        wmf = WMF(3, random_state=0).fit(rng.poisson(0.6, (60, 600)))
        work = lambda: wmf.recommend(5)
    """,
    "VectorQuantizer": """
        frames = RaggedArray(rng.normal(size=(500, 3)).astype("f4"), [0, 500])
        work = lambda: VectorQuantizer(4, max_iter=3, random_state=0).fit(frames)
    """,
    "MLRSimilarity": """
        X, labels = rng.normal(size=(40, 3)), np.arange(40) % 4
        work = lambda: MLRSimilarity(max_iter=3, random_state=0).fit(X, labels)
    """,
    "scorer": """
        X, Y = rng.normal(size=(40, 3)), rng.poisson(0.9, (40, 30))
        model = PopularityRecommender().fit(X, Y)
        work = lambda: recommendation_scorer(model, X, Y)
    """,
    "MFCCExtractor": """
        clips = [rng.normal(size=3000) * 0.1 for _ in range(4)]
        work = lambda: MFCCExtractor(n_jobs=2).fit_transform(clips)
    """,
    "frame store": """
        import tempfile
        clips = [rng.normal(size=3000) * 0.1 for _ in range(4)]
        def work():
            with tempfile.TemporaryDirectory() as folder:
                extractor = MelSpectrogram(store=folder, n_jobs=2)
                np.concatenate(list(extractor.fit_transform(clips)))
    """,
    "AudioUnion": """
        clips = [rng.normal(size=3000) * 0.1 for _ in range(4)]
        both = [("mel", MelSpectrogram()), ("mfcc", MFCCExtractor())]
        work = lambda: AudioUnion(both, n_jobs=2).fit_transform(clips)
    """,
    "make_recommender": """
        X, Y = rng.normal(size=(40, 3)), rng.poisson(0.9, (40, 30))
        model = make_recommender("table", random_state=0)
        work = lambda: model.fit(X, Y).recommend(X, 2)
    """,
    "FactorTargetEncoder": """
        X, Y = rng.integers(0, 5, (40, 1)), rng.poisson(0.9, (40, 30))
        work = lambda: FactorTargetEncoder(WMF(2)).fit_transform(X, Y)
    """,
    "index": """
        vectors = rng.normal(size=(300, 8))
        work = lambda: build_index(vectors, n_jobs=2).query(vectors[:9], 3)
    """,
    "graph": """
        vectors = rng.normal(size=(300, 8))
        work = lambda: build_index(vectors, "usearch", n_jobs=2).query(vectors[:9], 3)
    """,
    "ContrastiveEncoder": """
        import torch
        torch.set_num_threads(2)
        X, Y = rng.normal(size=(300, 900)), rng.poisson(0.1, (300, 30))
        encoder = ContrastiveEncoder(3, hidden=(64,), max_epochs=1, device="cpu")
        work = lambda: encoder.fit(X, Y).transform(X)
    """,
    "AudioEmbedding": """
        import torch
        torch.set_num_threads(2)
        net = torch.nn.Linear(4000, 500)  # enough for two threads
        clips = [rng.normal(size=40_000) * 0.1 for _ in range(2)]
        listen = AudioEmbedding(net, sr=4000, window=1, device="cpu")
        work = lambda: listen.fit_transform(clips)
    """,
}
SCRIPT = """
import os, signal, threading, time, traceback
import numpy as np
from threadpoolctl import threadpool_info
from skcoldstart import *

def blas():
    return [p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"]

rng = np.random.default_rng(0)
before = blas()
{setup}
work()
threading.Thread(target=lambda: [work() for _ in iter(int, 1)], daemon=True).start()
for k in range({n_forks}):
    time.sleep(0.005 * rng.random())
    child = os.fork()
    if child == 0:
        signal.alarm(600)
        try:
            work()
            os._exit(0 if blas() == before else 3)
        except BaseException:
            traceback.print_exc()
            os._exit(4)
    status = os.waitpid(child, 0)[1]
    assert status == 0, f"child {{k}} of {n_forks}: status {{status}}"
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX forks")
@pytest.mark.parametrize("name", WORK)
def test_forked_children_finish_and_leave_blas_as_it_was(name):
    needed = {"AudioEmbedding": "torch", "ContrastiveEncoder": "torch"}
    pytest.importorskip({**needed, "graph": "usearch"}.get(name, "numpy"))
    script = SCRIPT.format(setup=textwrap.dedent(WORK[name]), n_forks=N_FORKS)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=1800
    )
    assert done.returncode == 0, done.stderr[-2000:]
