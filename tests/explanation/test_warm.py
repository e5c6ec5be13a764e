"""Scores of played items, explained by the songs that a user played."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose

from skcoldstart import WMF, explain
from tests.explanation.tables import rows_of, sums

N_ITEMS, N_USERS, K = 40, 30, 5


@pytest.fixture
def plays(rng):
    y = rng.poisson(
        np.exp(rng.normal(size=(N_ITEMS, 3)) @ rng.normal(size=(3, N_USERS)))
    )
    y[:, 7] = 0  # a user without plays
    return y


def table_of(explanation, kind):
    """Return contributions of one kind, (item, user, source) -> value."""
    return {
        (row["item"], row["user"], row["source"]): row["contribution"]
        for row in rows_of(explanation)
        if row["kind"] == kind
    }


def contributions_twin(wmf, y, items, users):
    """Hu, Koren and Volinsky, section 5, one pair and one song at a time."""
    V, confidences = wmf.item_factors_.astype(np.float64), wmf.confidences(y).toarray()
    expected = {}
    for user in users:
        played = np.flatnonzero(y[:, user])
        C = np.where(y[:, user] > 0, confidences[:, user], 1.0)
        reg = wmf.reg_ * len(played) ** wmf.reg_exponent
        W = np.linalg.inv(V.T @ np.diag(C) @ V + reg * np.eye(V.shape[1]))
        for i in items:
            for j in played:
                expected[i, user, j] = V[i] @ W @ V[j] * C[j]
    return expected


@pytest.mark.parametrize(
    "params",
    [{}, {"confidence": "linear", "alpha": 3.0}, {"reg_exponent": 1.0, "reg": 0.1}],
    ids=str,
)
def test_songs_contribute_through_the_normal_equations_of_the_user(plays, params):
    wmf = WMF(K, dtype="float64", random_state=0, **({"reg": 1.0} | params)).fit(plays)
    items, users = [0, 3, 9], [1, 7, 20]
    got = table_of(
        explain(wmf, plays[items], users, n=None, X_train=plays, item_ids=range(40)),
        "song",
    )
    expected = contributions_twin(wmf, plays, items, users)
    assert len(got) == len(expected)
    for (i, user, j), value in expected.items():
        # Items are folded in anew, which gives the factors of fit.
        assert_allclose(got[items.index(i), user, j], value, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("max_iter", [2, 500])
def test_contributions_add_up_and_a_converged_fit_is_songs_alone(plays, max_iter):
    wmf = WMF(K, reg=1.0, max_iter=max_iter, tol=0, dtype="float64", random_state=0)
    scores = wmf.inverse_transform(wmf.fit(plays).item_factors_)
    for n in (3, None):
        found = explain(wmf, plays, np.arange(N_USERS), n=n, X_train=plays)
        got = sums(found, scores.shape)
        assert_allclose(got, scores, atol=1e-6 * np.abs(scores).max())
    rest = max(map(abs, table_of(found, "constant").values()))
    assert rest > 1e-3 if max_iter == 2 else rest < 1e-6 * np.abs(scores).max()


def test_contributions_are_those_of_implicit(plays):
    als = pytest.importorskip("implicit.cpu.als", reason="needs implicit")
    wmf = WMF(K, reg=1.0, dtype="float64", random_state=0).fit(plays)
    peer = als.AlternatingLeastSquares(factors=K, regularization=1.0, alpha=1.0)
    peer.item_factors, peer.user_factors = wmf.item_factors_, wmf.user_factors_
    counts = sp.csr_matrix(wmf.confidences(plays).T)
    users = np.flatnonzero(plays.sum(axis=0))
    found = table_of(explain(wmf, plays, users, n=None, X_train=plays), "song")
    for user in users.tolist():
        for item in range(N_ITEMS):
            total, songs, _ = peer.explain(user, counts, item, N=N_ITEMS)
            got = [found[item, user, song] for song, _ in songs]
            scale = np.abs([value for _, value in songs]).max()
            assert_allclose(got, [v for _, v in songs], rtol=1e-6, atol=1e-6 * scale)
            assert_allclose(sum(got), total, atol=1e-6 * scale)


def test_plays_of_the_fit_are_needed(plays):
    wmf = WMF(K, random_state=0).fit(plays)
    with pytest.raises(ValueError, match="keeps no plays"):
        explain(wmf, plays, [0])
    with pytest.raises(ValueError, match="expected \\(40, 30\\)"):
        explain(wmf, plays, [0], X_train=plays[:10])
    with pytest.raises(ValueError, match="sums over songs"):
        explain(wmf, plays, [0], X_train=plays, by="content")
