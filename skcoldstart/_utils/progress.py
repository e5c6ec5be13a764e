"""Progress bars, shown only when ``verbose`` asks for them."""

from collections.abc import Iterable
from typing import Any

__all__ = ["progress_bar"]


def progress_bar(
    iterable: Iterable[Any] | None = None,
    *,
    description: str,
    verbose: int | bool,
    total: int | None = None,
    unit: str = "it",
) -> Any:
    """Return a tqdm bar on standard error, silent where `verbose` is 0."""
    from tqdm.auto import tqdm

    return tqdm(iterable, desc=description, disable=not verbose, total=total, unit=unit)
