"""The example server, asked over HTTP by a client in another process."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcoldstart import (
    WMF,
    ColdStartRecommender,
    ContentKNNRecommender,
    export,
    save_model,
    to_onnx,
)
from tests.serving.ports import free_port

pytest.importorskip("fastapi", reason="the example server needs fastapi")
pytest.importorskip("uvicorn", reason="the example server needs uvicorn")

SERVER = Path(__file__).parents[2] / "docs" / "examples" / "serving" / "server.py"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SERVER.is_file(), reason="docs are not here"),
]
SONGS = [f"song {i}" for i in range(40)]
USERS = [f"us/er {i}" for i in range(25)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Return a model, its content and plays, and a folder to serve."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5)).astype(np.float32)
    y = sp.csr_array(rng.poisson(np.exp(X @ rng.normal(size=(5, 25)) - 0.5)) * 1.0)
    regressor = make_pipeline(StandardScaler(), Ridge())
    model = ColdStartRecommender(regressor, WMF(4, random_state=0))
    model.fit(X, y, user_ids=USERS, item_ids=SONGS)
    folder = tmp_path_factory.mktemp("served")
    export(model, folder, item_ids=SONGS)
    save_model(model, folder / "model.safetensors")
    sp.save_npz(folder / "plays.npz", y)
    return model, X, y, folder


class Client:
    """A server that is running, and requests to it."""

    def __init__(self, folder):
        self.port = free_port()
        command = [sys.executable, str(SERVER), str(folder), "--port", str(self.port)]
        root = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": root})
        while self.process.poll() is None:
            try:
                self.health = self.ask("/health")[1]
                return
            except urllib.error.URLError:
                time.sleep(0.1)
        raise RuntimeError("the server has ended")

    def ask(self, path, body=None):
        """Return status and answer of a GET, or of a POST of a body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            data,
            {"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        return self.process.wait()


@pytest.fixture(scope="module")
def client(world):
    client = Client(world[3])
    yield client
    client.stop()


def check(answer, kind, scores, names):
    """Compare six names and scores with the best of all, if these have names."""
    order = np.argsort(-scores, kind="stable")[:6]
    found = [row["score"] for row in answer]
    assert_allclose(found, scores[order], rtol=1e-4, atol=1e-5)
    assert names is None or [row[kind] for row in answer] == [names[i] for i in order]


def test_lists_of_a_user_leave_out_what_was_played(world, client):
    model, _, y, _ = world
    status, answer = client.ask(f"/users/{quote(USERS[3], safe='')}/songs?n=6")
    assert status == 200
    scores = model.factorizer_.item_factors_ @ model.user_factors_[3]
    scores[y[:, [3]].toarray()[:, 0] > 0] = -np.inf
    check(answer, "song", scores, SONGS)


def test_a_new_song_finds_its_listeners(world, client):
    model, X, _, _ = world
    song = X[0] + 0.5
    status, answer = client.ask("/songs", {"content": song.tolist(), "n": 6})
    assert status == 200
    check(answer, "user", model.predict(song[np.newaxis])[0], USERS)


def test_a_new_listener_is_folded_in(world, client):
    model, _, _, _ = world
    plays = np.zeros((40, 1))
    plays[[3, 8, 20], 0] = 5, 1, 2
    body = {"plays": {"song 3": 5, "song 8": 1, "song 20": 2}, "n": 6}
    status, answer = client.ask("/listeners", body)
    assert status == 200
    scores = model.factorizer_.item_factors_ @ model.fold_in_users(plays)[0]
    scores[[3, 8, 20]] = -np.inf
    check(answer, "song", scores, SONGS)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/users/nobody/songs", None, 404, "user 'nobody' is not known"),
        ("/users/nobody/songs?n=0", None, 422, "greater than or equal to 1"),
        ("/songs", {"content": [1.0, 2.0]}, 422, "content does not fit"),
        ("/songs", {"content": [1e300] * 5}, 422, "beyond float32"),
        ("/songs", {"n": 3}, 422, "Field required"),
        ("/listeners", {"plays": {"no song": 1}}, 422, "songs are not known: ['no s"),
        ("/listeners", {"plays": {"song 1": -1}}, 422, "greater than 0"),
        ("/listeners", {"plays": {"song 1": float("inf")}}, 422, "finite number"),
        ("/listeners", {"plays": {}}, 422, "at least 1 item"),
        ("/listeners", [], 422, "valid dictionary"),
        ("/nowhere", None, 404, "Not Found"),
    ],
)
def test_bad_requests_are_answered_with_a_message(client, path, body, status, message):
    found, answer = client.ask(path, body)
    assert found == status
    assert message in str(answer["detail"])
    assert client.ask("/health") == (200, client.health)


def test_many_clients_at_a_time_get_their_own_answers(client):
    def one(i):
        body = {"plays": {f"song {i % 40}": 1 + i % 3}, "n": 3}
        return client.ask("/listeners", body)

    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(one, range(64)))
    assert {status for status, _ in answers} == {200}
    for i, (_, answer) in enumerate(answers[:8]):
        assert answer == one(i)[1]


def test_a_killed_server_starts_again_and_answers_the_same(world):
    model, X, _, folder = world
    path = folder / "model.onnx"
    path.write_bytes(to_onnx(model).SerializeToString())
    song = {"content": X[4].tolist(), "n": 5}
    first = Client(folder)
    answer = first.ask("/songs", song)
    assert first.stop(signal.SIGKILL) != 0
    with pytest.raises(urllib.error.URLError):
        first.ask("/health")
    second = Client(folder)
    assert second.health == first.health
    assert second.ask("/songs", song) == answer
    assert second.stop() is not None
    path.unlink()


def test_an_export_that_approximates_serves_known_songs_and_users_only(world, tmp_path):
    _, X, y, _ = world
    model = ContentKNNRecommender(9).fit(X, y, user_ids=USERS)
    export(model, tmp_path, X, item_ids=SONGS)
    save_model(model, tmp_path / "model.safetensors")
    client = Client(tmp_path)
    try:
        status, answer = client.ask(f"/users/{quote(USERS[3], safe='')}/songs?n=6")
        assert status == 200
        check(answer, "song", model.predict(X)[:, 3], None)  # up to ties
        for path, body in (
            ("/songs", {"content": X[0].tolist()}),
            ("/listeners", {"plays": {"song 3": 5}}),
        ):
            status, answer = client.ask(path, body)
            assert status == 501
            assert "known songs and users only" in answer["detail"]
    finally:
        client.stop()
