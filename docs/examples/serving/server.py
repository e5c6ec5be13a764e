"""Serve lists over HTTP: ``python server.py FOLDER``.

The folder is what ``python -m skcoldstart fit --out FOLDER`` writes, or an export with
a model file beside it (Readme.md). Requests and answers are JSON.
"""

import argparse
import math
import threading
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import scipy.sparse as sp
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from skcoldstart import load_export, load_model

Length = Annotated[int, Field(ge=1, le=1000)]
Count = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class NewSong(BaseModel):
    """What a song is: numbers in the order of the model, or values of its columns."""

    content: list[float] | dict[str, float | str | None]
    n: Length = 10


class NewListener(BaseModel):
    """What a listener played: counts of songs by their names."""

    plays: dict[str, Count] = Field(min_length=1, max_length=10_000)
    n: Length = 10


class Service:
    """Factors and names in memory, and the model for what is new."""

    def __init__(self, folder: Path) -> None:
        self.export = load_export(folder)
        self.has_factors = self.export.manifest.get("approximation") is None
        self.songs = {str(name): i for i, name in enumerate(self.export.item_ids)}
        self.users = {str(name): i for i, name in enumerate(self.export.user_ids)}
        self.model = load_model(folder / "model.safetensors")
        is_pipeline = hasattr(self.model, "steps")
        self.recommender = self.model[-1] if is_pipeline else self.model
        if hasattr(self.recommender, "factorizer_"):
            self.recommender.factorizer_.n_jobs = 1  # requests are parallel already
        self.steps = self.model[:-1] if is_pipeline and len(self.model) > 1 else None
        self.lock = threading.Lock()  # one of the new at a time
        plays = folder / "plays.npz"
        self.played = sp.csc_array(sp.load_npz(plays)) if plays.is_file() else None
        self.network = None
        if (folder / "model.onnx").is_file():
            import onnxruntime

            self.network = onnxruntime.InferenceSession(
                folder / "model.onnx", providers=["CPUExecutionProvider"]
            )

    def songs_of(self, user: str, n: int) -> list[dict[str, Any]]:
        """Return the best songs of a known user, without what the user has played."""
        if user not in self.users:
            raise HTTPException(404, f"user {user!r} is not known; POST /listeners")
        place = self.users[user]
        scores = self.export.item_factors @ self.export.user_factors[place]
        if self.played is not None:
            start, end = self.played.indptr[place : place + 2]
            scores[self.played.indices[start:end]] = -np.inf
        return best(scores, self.export.item_ids, n, "song")

    def listeners_of(self, content: Any, n: int) -> list[dict[str, Any]]:
        """Return the best users of a song that is new."""
        self.check_factors()
        factors = self.factors_of(content)
        scores = self.export.user_factors @ factors[0].astype(np.float32)
        return best(scores, self.export.user_ids, n, "user")

    def songs_of_new(self, plays: dict[str, float], n: int) -> list[dict[str, Any]]:
        """Return the best songs of a listener who is new."""
        self.check_factors()
        unknown = [name for name in plays if name not in self.songs]
        if unknown:
            raise HTTPException(422, f"songs are not known: {unknown[:5]}")
        places = [self.songs[name] for name in plays]
        names = self.export.item_ids[places]
        column = np.array(list(plays.values()))[:, np.newaxis]
        with self.lock:
            factors = self.recommender.fold_in_users(column, item_ids=names)
        scores = self.export.item_factors @ factors[0].astype(np.float32)
        scores[places] = -np.inf
        return best(scores, self.export.item_ids, n, "song")

    def check_factors(self) -> None:
        """Refuse what is new if the export has other factors than the model."""
        if not self.has_factors:
            message = "the export approximates the scores of known songs and users only"
            raise HTTPException(501, message)

    def factors_of(self, content: Any) -> np.ndarray:
        """Return predicted factors, (1, k)."""
        try:
            if isinstance(content, dict):
                import pandas as pd

                rows: Any = pd.DataFrame([content])
            else:
                rows = np.array([content], dtype=np.float32)
                if not np.isfinite(rows).all():
                    raise ValueError("content holds NaN, or numbers beyond float32")
            with self.lock:
                if self.network is not None and not isinstance(content, dict):
                    return self.network.run(["factors"], {"X": rows})[0]
                if self.steps is not None:
                    rows = self.steps.transform(rows)
                return np.asarray(self.recommender.predict_factors(rows))
        except Exception as error:  # of the content: the model is the same each time
            raise HTTPException(422, f"content does not fit: {error}") from error


def best(scores: np.ndarray, names: np.ndarray, n: int, kind: str) -> list[dict]:
    """Return the names of the n largest scores, best first."""
    n = min(n, len(scores))
    chosen = np.argpartition(-scores, n - 1)[:n]
    chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
    return [
        {kind: str(names[i]), "score": float(scores[i])}
        for i in chosen
        if math.isfinite(scores[i])
    ]


def make_app(folder: Path) -> FastAPI:
    """Return the application, with the model of a folder in memory."""
    service = Service(folder)
    app = FastAPI(title="Lists of new music")

    @app.exception_handler(RequestValidationError)
    def refuse(request: Request, error: RequestValidationError) -> JSONResponse:
        """Return what is wrong, without the input: JSON has no infinite numbers."""
        names = ("type", "loc", "msg")
        faults = [{name: fault[name] for name in names} for fault in error.errors()]
        return JSONResponse({"detail": faults}, status_code=422)

    @app.get("/health")
    def health() -> dict[str, Any]:
        """Say which export is served."""
        return {
            "songs": len(service.songs),
            "users": len(service.users),
            "sha256": service.export.manifest["sha256"],
        }

    @app.get("/users/{user:path}/songs")  # a name may hold a slash
    def songs(user: str, n: Length = 10) -> list[dict[str, Any]]:
        """Return songs for a known user."""
        return service.songs_of(user, n)

    @app.post("/songs")
    def new_song(song: NewSong) -> list[dict[str, Any]]:
        """Return users for a new song."""
        return service.listeners_of(song.content, song.n)

    @app.post("/listeners")
    def new_listener(listener: NewListener) -> list[dict[str, Any]]:
        """Return songs for a new listener."""
        return service.songs_of_new(listener.plays, listener.n)

    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    uvicorn.run(
        make_app(options.folder.expanduser()),
        host=options.host,
        port=options.port,
        log_level="warning",
    )
