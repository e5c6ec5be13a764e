"""The example server under load: latency of requests by many clients at a time.

    python benchmarks/bench_serving.py [--clients 200] [--songs 20000] [--users 20000]

Fits 64 factors to random plays, starts ``docs/examples/serving/server.py`` in a process
of its own, and lets every client ask one request after the other over a connection that
stays open: lists of known users, listeners of new songs, and songs for new listeners.
Prints requests per second and the median and 99th percentile of the time from sending a
request to having read the answer, with clients and server on the same machine.
"""

import argparse
import asyncio
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import scipy.sparse as sp

ROOT = Path(__file__).parents[1]
SERVER = ROOT / "docs" / "examples" / "serving" / "server.py"
N_FEATURES = 40


def write_model(folder, n_songs, n_users):
    from sklearn.linear_model import Ridge

    from skcoldstart import WMF, ColdStartRecommender, export, save_model, to_onnx

    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_songs, N_FEATURES)).astype(np.float32)
    nnz = 30 * n_users
    places = rng.integers(n_songs, size=nnz), rng.integers(n_users, size=nnz)
    plays = sp.csr_array((np.ones(nnz), places), shape=(n_songs, n_users))
    songs = [f"song-{i}" for i in range(n_songs)]
    users = [f"user-{i}" for i in range(n_users)]
    wmf = WMF(64, max_iter=3, random_state=0)
    model = ColdStartRecommender(Ridge(), wmf)
    model.fit(X, plays, user_ids=users, item_ids=songs)
    export(model, folder, item_ids=songs)
    save_model(model, folder / "model.safetensors")
    sp.save_npz(folder / "plays.npz", plays)
    (folder / "model.onnx").write_bytes(to_onnx(model).SerializeToString())


def requests_of(kind, rng, n, n_songs, n_users):
    """Return n requests as bytes."""
    found = []
    for _ in range(n):
        body = b""
        if kind == "known user":
            line = f"GET /users/user-{rng.integers(n_users)}/songs?n=10"
        elif kind == "new song":
            line = "POST /songs"
            body = json.dumps({"content": rng.normal(size=N_FEATURES).tolist()})
        else:
            line = "POST /listeners"
            songs = rng.choice(n_songs, 20, replace=False)
            body = json.dumps({"plays": {f"song-{i}": 1 for i in songs}})
        body = body if isinstance(body, bytes) else body.encode()
        head = f"{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        head += "Content-Type: application/json\r\n\r\n"
        found.append(head.encode() + body)
    return found


async def client(port, requests, times):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        started = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head.splitlines()[0], head
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        times.append(time.perf_counter() - started)
    writer.close()


async def load(port, per_client):
    times = []
    started = time.perf_counter()
    await asyncio.gather(*(client(port, requests, times) for requests in per_client))
    return np.array(times), time.perf_counter() - started


def wait_for(port, process):
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the server has ended")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--requests", type=int, default=20, help="of each client")
    parser.add_argument("--songs", type=int, default=20_000)
    parser.add_argument("--users", type=int, default=20_000)
    args = parser.parse_args()
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, fastapi "
        f"{version('fastapi')}, uvicorn {version('uvicorn')}, numpy {np.__version__}; "
        f"{args.songs} songs, {args.users} users, 64 factors"
    )
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder), args.songs, args.users)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, str(SERVER), folder, "--port", str(port)]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(command, env=env)
        try:
            wait_for(port, process)
            rng = np.random.default_rng(1)
            for kind in ("known user", "new song", "new listener"):
                for n_clients in (1, args.clients):
                    n = args.requests if n_clients > 1 else 100
                    many = [
                        requests_of(kind, rng, n, args.songs, args.users)
                        for _ in range(n_clients)
                    ]
                    asyncio.run(load(port, [many[0][:5]]))  # compiled, in memory
                    times, wall = asyncio.run(load(port, many))
                    p50, p99 = 1000 * np.percentile(times, [50, 99])
                    print(
                        f"{kind:<13} {n_clients:4d} clients: p50 {p50:7.1f} ms, p99 "
                        f"{p99:7.1f} ms, {len(times) / wall:6.0f} requests/s",
                        flush=True,
                    )
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    main()
