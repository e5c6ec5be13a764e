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
    """Return a tqdm bar on standard error, silent where `verbose` is 0.

    Parameters
    ----------
    iterable : iterable, default=None
        What to walk through; ``None`` for a bar that is updated by hand.
    description : str
        Text before the bar.
    verbose : int or bool
        0 shows nothing.
    total : int, default=None
        Number of steps, where `iterable` has no length.
    unit : str, default="it"
        What one step is called.

    Returns
    -------
    tqdm
        The bar, also a context manager.
    """
    from tqdm.auto import tqdm

    return tqdm(iterable, desc=description, disable=not verbose, total=total, unit=unit)
