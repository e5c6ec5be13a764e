"""The model folder, written by `fit` and read by the other commands."""

import csv
import json
import os
import shutil
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

import skcoldstart
from skcoldstart._command._console import UserError, explained

FORMAT = "skcoldstart model folder"
SUMMARY, MODEL = "model.json", "model.safetensors"
PLAYS, ITEMS = "plays.npz", "items.csv"


@dataclass(frozen=True)
class ModelFolder:
    """A fitted model and its training data."""

    content: Any
    recommender: Any
    kinds: dict[str, str]
    has_sound: bool
    item_ids: np.ndarray
    user_ids: np.ndarray
    plays: sp.csr_array


def check_place(folder: Path) -> Path:
    """Return the folder without links; reject what must not be replaced."""
    place = Path(os.path.realpath(folder))
    if place.exists() and not place.is_dir():
        raise UserError(f"--out {folder} is a file; expected a folder for the model.")
    here = Path.cwd()
    if here.is_relative_to(place):
        raise UserError(
            f"--out {folder} is the current folder, or one above it, which cannot be "
            "replaced; pass the name of a folder in it."
        )
    if place.is_dir() and any(place.iterdir()) and not (place / SUMMARY).is_file():
        raise UserError(
            f"--out {folder} has other files and no model; pass a new folder, or the "
            f"folder of a model to replace it."
        )
    return place


def write_model(
    folder: Path,
    model: ModelFolder,
    groups: np.ndarray | None,
    summary: dict[str, Any],
) -> None:
    """Write a model, its factors and its catalogue, replacing an existing one.

    Shapes: `groups` (n_items,).
    """
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir()
        _write_files(new, model, groups, summary)
        _replace(folder, new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _write_files(
    new: Path,
    model: ModelFolder,
    groups: np.ndarray | None,
    summary: dict[str, Any],
) -> None:
    from sklearn.pipeline import Pipeline

    whole = Pipeline([("content", model.content), ("recommender", model.recommender)])
    skcoldstart.save_model(whole, new / MODEL)
    skcoldstart.export(model.recommender, new, item_ids=model.item_ids)
    sp.save_npz(new / PLAYS, sp.csr_array(model.plays, dtype=np.float32))
    listeners = np.diff(model.plays.indptr)
    artists = np.full(len(model.item_ids), "") if groups is None else groups
    with open(new / ITEMS, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["item_id", "artist", "n_listeners"])
        columns = (model.item_ids, artists, listeners)
        writer.writerows(zip(*(c.tolist() for c in columns), strict=True))
    about = {
        "format": FORMAT,
        "version": 1,
        "skcoldstart": skcoldstart.__version__,
        "sound": model.has_sound,
        "columns": model.kinds,
        **summary,
    }
    text = json.dumps(about, indent=1, ensure_ascii=False)
    (new / SUMMARY).write_text(text, encoding="utf-8")


def _replace(folder: Path, new: Path) -> None:
    """Rename a folder; the one that it replaces is removed last."""
    old = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        shutil.copymode(folder, new)
        folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def read_model(folder: Path) -> ModelFolder:
    """Read a folder written by `write_model`."""
    try:
        about = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        known = about["format"] == FORMAT and about["version"] == 1
    except (OSError, ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise UserError(
            f"--model {folder} is not a model; expected a folder written by `python "
            f"-m skcoldstart fit --out`."
        )
    with explained():
        model = skcoldstart.load_model(folder / MODEL)
        exported = skcoldstart.load_export(folder)
        plays = _read_plays(folder / PLAYS)
    shape = len(exported.item_ids), len(exported.user_ids)
    if plays.shape != shape:
        raise UserError(
            f"{folder / PLAYS} has the shape {plays.shape} but the model {shape}; "
            "run fit again."
        )
    return ModelFolder(
        model["content"],
        model["recommender"],
        about["columns"],
        about["sound"],
        exported.item_ids,
        exported.user_ids,
        plays,
    )


def _read_plays(path: Path) -> sp.csr_array:
    try:
        return sp.csr_array(sp.load_npz(path))
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise UserError(f"{path} is damaged ({error}); run fit again.") from error
