"""Loss curves of a fit, by sweep or epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.sources import open_recommender
from skcoldstart._utils.docstrings import documented
from skcoldstart.inspection._style import PALETTE, axes_for


@documented()
@dataclass(repr=False, eq=False)
class LossCurveDisplay:
    """Draw the losses that an estimator recorded while it was fitted.

    Use `from_estimator` for a fitted estimator, or `from_history` for its record.

    .. versionadded:: 0.1

    Parameters
    ----------
    curves : mapping of str to array-like of shape (n_steps,)
        Loss after each step, by name; NaN where it was not recorded.
    step : str, default="epoch"
        Name of a step.
    loss : str, default="loss"
        Label of the loss.

    Attributes
    ----------
    <axes and figure>
    lines_ : list of matplotlib Line2D
        One for each curve.

    See Also
    --------
    skcoldstart.model_selection.learning_curve : Scores for increasing numbers of items.

    Examples
    --------
    >>> from skcoldstart.inspection import LossCurveDisplay
    >>> curve = LossCurveDisplay.from_history(
    ...     [{"epoch": 1, "train_loss": 2.0, "valid_loss": 2.5, "batches": []},
    ...      {"epoch": 2, "train_loss": 1.0, "valid_loss": 2.2, "batches": []},
    ...      {"epoch": 3, "train_loss": 0.5, "valid_loss": 2.4, "batches": []}])
    >>> list(curve.curves), curve.best_step
    (['train_loss', 'valid_loss'], 2)
    """

    curves: Mapping[str, Any]
    _: KW_ONLY
    step: str = "epoch"
    loss: str = "loss"

    @classmethod
    def from_estimator(cls, estimator: Any) -> "LossCurveDisplay":
        """Read the losses of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            With ``history_`` (a dict for each epoch, as skorch's), ``loss_history_``
            (`skcoldstart.WMF`) or ``loss_curve_`` (`sklearn.neural_network`), also at
            the end of a Pipeline or inside a search. A
            `skcoldstart.ColdStartRecommender` gives the losses of its regressor or, if
            there are none, those of its factorizer.

        <undrawn>

        Raises
        ------
        TypeError
            If the estimator has no losses.
        """
        check_is_fitted(estimator)
        model, _ = open_recommender(estimator)
        parts = [model]
        for name in ("regressor_", "factorizer_"):
            if hasattr(model, name):
                parts.append(open_recommender(getattr(model, name))[0])
        for part in parts:
            if hasattr(part, "history_"):
                return cls.from_history(part.history_)
            if hasattr(part, "loss_history_"):
                return cls(
                    {"objective": np.asarray(part.loss_history_, float)},
                    step="sweep",
                    loss="objective",
                )
            if hasattr(part, "loss_curve_"):
                return cls({"train_loss": np.asarray(part.loss_curve_, float)})
        raise TypeError(
            f"{type(model).__name__} recorded no losses; expected a fitted estimator "
            "with history_, loss_history_ or loss_curve_."
        )

    @classmethod
    def from_history(
        cls, history: Sequence[Mapping[str, Any]], *, names: Any = None
    ) -> "LossCurveDisplay":
        """Read a list of dicts, one for each epoch.

        Parameters
        ----------
        history : sequence of n_epochs mapping
            Values after each epoch; a value that is missing or not a number is NaN.
        names : sequence of str, default=None
            Values to show; ``None`` means those whose names end in ``loss``.

        <undrawn>

        Raises
        ------
        ValueError
            If there are no values with these names.
        """
        rows = [dict(row) for row in history]
        recorded = list(dict.fromkeys(key for row in rows for key in row))
        if names is None:
            names = [key for key in recorded if str(key).endswith("loss")]
        curves = {
            name: np.array([
                value if isinstance(value, Real | np.generic) else np.nan
                for value in (row.get(name) for row in rows)
            ]).astype(float)
            for name in names
        }
        curves = {name: c for name, c in curves.items() if np.isfinite(c).any()}
        if not curves:
            raise ValueError(
                f"history of {len(rows)} epochs has no numbers with the names "
                f"{list(names)}; it has {recorded}. Pass names."
            )
        return cls(curves)

    @property
    def best_step(self) -> int | None:
        """Step of the lowest validation loss, from 1; None without one."""
        lowest = self._lowest()
        return None if lowest is None else lowest[0]

    def _lowest(self) -> tuple[int, float] | None:
        for name, values in self.curves.items():
            values = np.asarray(values, float)
            if name.startswith("valid") and np.isfinite(values).any():
                place = int(np.nanargmin(values))
                return place + 1, float(values[place])
        return None

    def plot(self, ax: Any = None, *, log: bool | str = "auto") -> "LossCurveDisplay":
        """Draw the curves, and mark the lowest validation loss.

        Parameters
        ----------
        <ax>
        log : bool or "auto", default="auto"
            Whether losses have a logarithmic scale. "auto" uses one if all are positive
            and the largest is more than ten times the smallest.

        <drawn>
        """
        from matplotlib.ticker import MaxNLocator

        curves = {name: np.asarray(v, float) for name, v in self.curves.items()}
        drawn = np.concatenate([v[np.isfinite(v)] for v in curves.values()] or [[]])
        if not len(drawn):
            raise ValueError(f"curves has no finite numbers in {list(curves)}.")
        ax = axes_for(self, ax, (5.5, 3.4))
        self.lines_ = []
        for i, (name, values) in enumerate(curves.items()):
            steps = np.arange(1, len(values) + 1)
            self.lines_ += ax.plot(
                steps,
                values,
                color=PALETTE[i % len(PALETTE)],
                linestyle=("-", "--", ":", "-.")[i % 4],
                marker="o" if len(values) <= 40 else None,
                markersize=3.5,
                linewidth=1.8,
                label=name.replace("_", " "),
            )
        if log == "auto":
            log = drawn.min() > 0 and drawn.max() > 10 * drawn.min()
        if log:
            ax.set_yscale("log")
        best = self._lowest()
        if best is not None:
            step, value = best
            style = {"color": "0.35", "linewidth": 1, "linestyle": (0, (2, 2))}
            ax.axvline(step, label=f"best {self.step}: {step}", zorder=0, **style)
            ax.plot(step, value, "o", markersize=8, color="0.2", fillstyle="none")
        ax.set(xlabel=self.step, ylabel=self.loss)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        if len(curves) > 1 or best is not None:
            ax.legend(frameon=False)
        return self
