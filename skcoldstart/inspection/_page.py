"""The interactive page of a taste map: one file that loads nothing else."""

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from skcoldstart._utils.missing import is_missing
from skcoldstart._utils.paths import atomic_write
from skcoldstart.inspection._style import Style, readable

UNITS = 100_000  # positions are integers from 0 to this


def write_page(
    path: str | os.PathLike[str],
    *,
    title: str,
    points: np.ndarray,
    names: np.ndarray,
    styles: list[Style],
    style_of_item: np.ndarray,
    details: Mapping[str, np.ndarray],
    audio: np.ndarray | None,
    reasons: list[list[str]] | None = None,
    moments: list[list[tuple[float, float]]] | None = None,
) -> None:
    """Write the page.

    Shapes: `points` (n_items, 2), `names` (n_items,), `style_of_item` (n_items,),
    `details` (n_items,), `audio` (n_items,), `reasons` and `moments` n_items lists.
    """
    placed = np.flatnonzero(np.isfinite(points).all(axis=1))
    folder = Path(path).expanduser().resolve().parent
    data = {
        "title": readable(title),
        "units": UNITS,
        **_positions(points[placed]),
        "names": names[placed].tolist(),
        "styles": [style._asdict() for style in styles],
        "style": style_of_item[placed].tolist(),
        "details": {key: texts[placed].tolist() for key, texts in details.items()},
        "audio": None
        if audio is None
        else [clip_url(audio[i], folder) for i in placed],
        "reasons": None if reasons is None else [reasons[i] for i in placed],
        "moments": None if moments is None else [moments[i] for i in placed],
    }
    template, style, script = (
        files("skcoldstart.inspection")
        .joinpath("page", f"taste_map.{suffix}")
        .read_text("utf-8")
        for suffix in ("html", "css", "js")
    )
    parts = {
        "TITLE": escape(readable(title)),
        "STYLE": style,
        "STYLE_HASH": _hash(style),
        "SCRIPT": script,
        "SCRIPT_HASH": _hash(script),
        "DATA": json_for_html(data),
    }
    # In one pass, so that no part is searched for placeholders.
    page = re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)
    with atomic_write(path, "w") as file:
        file.write(page)


def json_for_html(value: Any) -> str:
    r"""Return JSON that is safe inside a script element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text = text.encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[<>&\u2028\u2029]", lambda c: f"\\u{ord(c[0]):04x}", text)


def clip_url(path: Any, folder: Path) -> str | None:
    """Return the link from a page in `folder` to an audio file."""
    if is_missing([path])[0] or path == "":
        return None
    absolute = os.path.abspath(os.path.expanduser(os.fsdecode(path)))
    try:
        relative = os.path.relpath(absolute, folder)
    except ValueError:  # on another drive than the page
        return Path(absolute).as_uri()
    # With the leading dot, "javascript:x" is a file name.
    return "./" + quote(os.fsencode(Path(relative).as_posix()))


def _positions(points: np.ndarray) -> dict[str, list[int]]:
    """Scale to a square of integers, x to the right and y downwards."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max()) or 1.0
    unit = (points - (low + high) / 2) / side + 0.5
    x, y = np.rint(unit * UNITS).astype(int).T
    return {"x": x.tolist(), "y": (UNITS - y).tolist()}


def _hash(text: str) -> str:
    """Return the hash of an inline block for a content security policy."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
