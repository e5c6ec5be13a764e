"""The most popular items and the most active users of a data set."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch, check_random_state

from skcoldstart._scores.plays import check_play_counts
from skcoldstart._utils.docstrings import documented
from skcoldstart._utils.sk import (
    COUNT,
    StrOptions,
    _num_samples,
    _safe_indexing,
    validated,
)

ITEM_FIELDS = frozenset(
    (
        "item_ids track_ids artist_ids artists artist_names titles releases genres "
        "release_dates first_play metadata years duration_s tempo loudness_db key mode "
        "time_signature is_known "
        "artist_familiarity artist_hotttnesss song_hotttnesss groups is_new paths "
        "waveforms frames pitches start_s X words item_latent item_tags popularity "
        "tag_probabilities true_item_factors"
    ).split()
)
USER_FIELDS = frozenset("user_ids user_latent user_tastes true_user_factors".split())
NAMES = frozenset(
    (
        "tags terms vocabulary feature_names genre_names tag_names tag_is_audible "
        "factor_is_audible sr"
    ).split()
)


@documented()
@validated(
    n_items=[*COUNT, None],
    n_users=[*COUNT, None],
    users=[StrOptions({"active", "random"})],
    random_state=["random_state"],
)
def make_subset(
    plays: Any,
    n_items: int | None = 9330,
    n_users: int | None = 20_000,
    *,
    users: str = "active",
    random_state: Any = None,
) -> Bunch:
    """Take the most popular items and the most active users.

    Parameters
    ----------
    plays : Bunch, or {array-like, sparse} of shape (n_items, n_users)
        Play counts, >= 0; items are rows. For a Bunch of a loader, all of its
        attributes are reduced.
    n_items : int, default=9330
        Number of items to keep: those with the most users. ``None`` keeps all.
    n_users : int, default=20000
        Number of users to keep, of those who play a kept item. ``None`` keeps all.
    users : {"active", "random"}, default="active"
        Keep the users with the most different kept items, or random users.
    random_state : int, RandomState instance or None, default=None
        Breaks ties, and selects users if ``users="random"``.

    Returns
    -------
    Bunch
        With the reduced attributes of the given Bunch, and:

        plays : csr_array of shape (n_kept_items, n_kept_users)
            Play counts, in the original order.
        item_idx, user_idx : ndarray of shape (n_kept_items,) and (n_kept_users,)
            Kept rows and columns of the original, in increasing order.
        <summary>

    Raises
    ------
    ValueError
        If counts are negative or not finite, or if fewer items or users than requested
        have plays.

    See Also
    --------
    load_taste_profile : Plays of a million users.

    Notes
    -----
    The defaults are the sizes of the paper's first experiment, which does not state how
    users were chosen.

    Attributes of items and users in a Bunch are reduced to those that are kept. Names
    of columns and the sampling rate are kept. Other attributes, such as counts of
    lines, would be wrong and are left out.

    .. versionadded:: 0.1

    References
    ----------
    .. [1] A. van den Oord, S. Dieleman, B. Schrauwen, "Deep content-based music
       recommendation", NIPS 2013, section 5.2.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart.datasets import make_subset
    >>> plays = np.array([[1, 0, 0], [2, 1, 0], [0, 3, 1], [0, 0, 0]])
    >>> subset = make_subset(plays, n_items=2, n_users=1, random_state=0)
    >>> subset.item_idx, subset.user_idx
    (array([1, 2]), array([1]))
    >>> subset.plays.toarray()
    array([[1],
           [3]])
    """
    whole = plays if isinstance(plays, dict) else Bunch(plays=plays)
    if "plays" not in whole:
        raise ValueError(
            f"plays is a mapping of {', '.join(map(repr, whole)) or 'nothing'}; "
            "expected one with 'plays', such as a loader returns."
        )
    counts = check_play_counts(whole["plays"], input_name="plays")
    n_all_items, n_all_users = counts.shape
    rng = check_random_state(random_state)
    item_idx = _largest(
        np.diff(counts.indptr), n_items, rng, f"items of {n_all_items}", "n_items"
    )
    chosen = counts[item_idx]
    n_items_of_user = np.bincount(chosen.indices, minlength=n_all_users)
    if users == "random":
        n_items_of_user = np.minimum(n_items_of_user, 1)
    user_idx = _largest(
        n_items_of_user, n_users, rng, f"users of {n_all_users}", "n_users"
    )
    names = NAMES
    if sp.issparse(whole.get("artists")):  # whose columns they are then
        names |= {"artist_ids"}
    cut = {name: values for name, values in whole.items() if name in names}
    for name, values in whole.items():
        if name in ITEM_FIELDS - names:
            cut[name] = _take(values, item_idx, n_all_items, name)
        elif name in USER_FIELDS:
            cut[name] = _take(values, user_idx, n_all_users, name)
    kept = sp.csr_array(chosen[:, user_idx])
    if counts.dtype != getattr(whole["plays"], "dtype", counts.dtype):
        kept = kept.astype(whole["plays"].dtype)
    return Bunch(
        **cut,
        plays=kept,
        item_idx=item_idx,
        user_idx=user_idx,
        DESCR=(
            f"The {len(item_idx)} most popular of {n_all_items} items, {len(user_idx)} "
            f"of {n_all_users} users ({kept.nnz} pairs)."
        ),
    )


def _largest(
    sizes: np.ndarray, n_kept: int | None, rng: Any, what: str, name: str
) -> np.ndarray:
    """Return positions of the largest sizes > 0, sorted; ties are broken at random."""
    n_there = int((sizes > 0).sum())
    if n_kept is None:
        n_kept = n_there
    if n_there < n_kept or n_there == 0:
        raise ValueError(
            f"{name}={n_kept} but only {n_there} {what} have plays; lower {name}."
        )
    order = np.lexsort((rng.permutation(len(sizes)), -sizes))
    return np.sort(order[:n_kept])


def _take(values: Any, chosen: np.ndarray, length: int, name: str) -> Any:
    """Select entries of an attribute with one per item or user."""
    if values is None:
        return None
    n_values = _num_samples(values)
    if n_values != length:
        raise ValueError(
            f"{name} of the Bunch has {n_values} entries; expected {length}."
        )
    return _safe_indexing(values, chosen)
