"""Convert predicted factors to an ONNX graph, for programs without scikit-learn."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression, Ridge, RidgeCV
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skcoldstart._scores.sources import open_recommender
from skcoldstart.compose import (
    BlendRecommender,
    ColdStartRecommender,
    ContentProfileRecommender,
)

__all__ = ["to_onnx"]

OPSET = {"": 18, "ai.onnx.ml": 3}
IR_VERSION = 10
_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "logistic": "Sigmoid", "exp": "Exp"}


def to_onnx(model: Any, X: Any = None) -> Any:
    """Return ``predict_factors`` of a recommender as an ONNX model.

    .. versionadded:: 0.2

    Parameters
    ----------
    model : estimator
        A fitted `ColdStartRecommender`, `ContentProfileRecommender` or blend of these,
        or a Pipeline or search that ends in one.
    X : DataFrame, default=None
        Some items. Required if the model reads columns by name: each column becomes an
        input of shape (n_items, 1), numbers or text.

    Returns
    -------
    onnx.ModelProto
        Its input is ``X``, float32 of shape (n_items, n_features), or one input per
        column; its output is ``factors``, float32 of shape (n_items, k). With a
        network, ``X`` is the frames of one item, (n_frames, n_features), and
        ``factors`` has one row.

    Raises
    ------
    TypeError
        If a step or the recommender cannot be converted; the message names it.
    ImportError
        If onnx or skl2onnx is not installed: ``pip install skcoldstart[onnx]``.

    See Also
    --------
    export : Writes factors of users and of known items.

    Notes
    -----
    Scores are ``factors @ user_factors_.T``. Inside the graph, numbers are float64 if
    the steps support it, so factors agree with those of `model` to the precision of
    float32; trees use float32. Steps that read sound are not converted: leave them out,
    as in ``to_onnx(pipeline[1:])``. Vectorizers of text require the locale en_US.UTF-8
    on the machine that runs the model.

    Examples
    --------
    >>> import numpy as np
    >>> from skcoldstart import WMF, ColdStartRecommender, to_onnx
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(20, 4))
    >>> model = ColdStartRecommender(factorizer=WMF(3)).fit(X, rng.poisson(1, (20, 9)))
    >>> [entry.name for entry in to_onnx(model).graph.output]
    ['factors']
    """
    _import("skl2onnx")
    runtime = _import("onnxruntime")
    check_is_fitted(model)
    for double in (True, False):
        proto = _Graph(X, double=double).of(model)
        try:
            runtime.InferenceSession(
                proto.SerializeToString(), providers=["CPUExecutionProvider"]
            )
        except Exception:
            if not double:
                raise
            continue  # a step does not support double precision
        break
    return proto


def _import(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(
            f"to_onnx needs {name}, which is not installed: pip install "
            "skcoldstart[onnx]"
        ) from error


class _Graph:
    """Builds a graph; names refer to outputs of nodes."""

    def __init__(self, X: Any, *, double: bool) -> None:
        import onnx

        self._onnx, self._X = onnx, X
        self._type = np.float64 if double else np.float32
        self._number = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(self._type))
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._columns: dict[str, str] = {}
        self._opsets = dict(OPSET)
        self._n = 0

    def of(self, model: Any) -> Any:
        """Return the whole model."""
        self.node("Cast", [self._recommender(model, None)], to=1)
        self._nodes[-1].output[0] = "factors"
        value = self._onnx.helper.make_tensor_value_info
        output = value("factors", 1, ["n_items", None])
        graph = self._onnx.helper.make_graph(
            self._nodes, "predict_factors", self._inputs, [output], self._constants
        )
        opset_of = self._onnx.helper.make_opsetid
        proto = self._onnx.helper.make_model(
            graph,
            opset_imports=[opset_of(*item) for item in self._opsets.items()],
            producer_name="skcoldstart",
            ir_version=IR_VERSION,
        )
        self._onnx.checker.check_model(proto)
        return proto

    def node(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        name = self._name()
        self._nodes.append(
            self._onnx.helper.make_node(kind, list(inputs), [name], **attributes)
        )
        return name

    def constant(self, values: Any) -> str:
        """Add a constant array and return its name."""
        name = self._name()
        values = np.asarray(values)
        if values.dtype.kind == "f":
            values = values.astype(self._type)
        self._constants.append(self._onnx.numpy_helper.from_array(values, name))
        return name

    def _name(self) -> str:
        self._n += 1
        return f"v{self._n}"

    def _recommender(self, model: Any, rows: Any) -> str:
        """Add a recommender; `rows` names its input, None for the graph's input."""
        steps, last = _steps_before(model)
        recommender, _ = open_recommender(last)
        if isinstance(recommender, ColdStartRecommender):
            return self._cold_start(steps, recommender, rows)
        if isinstance(recommender, ContentProfileRecommender):
            F = self._steps(steps, recommender, rows)
            lengths = self.node("ReduceL2", [F, self.constant(np.array([1]))])
            tiny = self.constant(np.array(np.finfo(self._type).tiny))
            return self.node("Div", [F, self.node("Max", [lengths, tiny])])
        if isinstance(recommender, BlendRecommender):
            rows = self._steps(steps, recommender, rows) if steps else rows
            parts = [
                self._recommender(recommender.recommenders_[m], rows)
                for m in np.flatnonzero(recommender.weights_)
            ]
            return self._with_ones(parts)
        raise TypeError(
            f"{type(recommender).__name__} cannot be converted; expected a "
            "ColdStartRecommender, a ContentProfileRecommender or a blend of these. "
            "export(model, folder, X) writes factors of the items X instead."
        )

    def _cold_start(
        self, steps: list[Any], recommender: ColdStartRecommender, rows: Any
    ) -> str:
        inner, regressor = _steps_before(recommender.regressor_)
        F = self._steps(steps + inner, regressor, rows)
        columns = [self._head(regressor, F)]
        if hasattr(recommender, "_play_projection"):
            if not hasattr(regressor, "coef_"):
                raise TypeError(
                    f"play_weight > 0 with {type(regressor).__name__} cannot be "
                    "converted; expected Ridge, RidgeCV or LinearRegression."
                )
            columns.append(self._with_ones([F]))
        if hasattr(recommender, "popularity_regressor_"):
            mean, spread = recommender._popularity_scale
            popularity = self._head(recommender.popularity_regressor_, F)
            centred = self.node("Sub", [popularity, self.constant(np.array(mean))])
            scale = self.constant(np.array(spread or 1.0))
            columns.append(self.node("Div", [centred, scale]))
        return self.node("Concat", columns, axis=1)

    def _with_ones(self, parts: list[str]) -> str:
        first = self.node("Slice", [parts[0], *map(self.constant, ([0], [1], [1]))])
        zeros = self.node("Sub", [first, first])
        ones = self.node("Add", [zeros, self.constant(np.array(1.0))])
        return self.node("Concat", [*parts, ones], axis=1)

    def _steps(self, steps: list[Any], last: Any, rows: Any) -> str:
        """Add steps from the input to a table, and return its name."""
        if rows is None:
            rows = self._input(steps[0] if steps else last)
        if steps:
            whole = Pipeline([(f"s{i}", step) for i, step in enumerate(steps)])
            return self._converted(whole, rows, steps)
        if isinstance(rows, dict):
            raise TypeError(
                f"{type(last).__name__} reads columns by name, but no step combines "
                f"them to a table; expected a ColumnTransformer."
            )
        return rows

    def _input(self, first: Any) -> Any:
        """Add the inputs; return the name of the table, or those of its columns."""
        if self._X is None:
            return self._declared("X", 1, first.n_features_in_)
        if self._columns:
            return self._columns
        for name in first.feature_names_in_:
            is_number = np.asarray(self._X[name]).dtype.kind in "iufb"
            self._columns[name] = self._declared(name, 1 if is_number else 8, 1)
        return self._columns

    def _declared(self, name: str, kind: int, width: int) -> str:
        """Declare an input, and return it in the graph's precision."""
        value = self._onnx.helper.make_tensor_value_info
        if all(entry.name != name for entry in self._inputs):
            self._inputs.append(value(name, kind, ["n_rows", width]))
        return self.node("Cast", [name], to=self._number) if kind == 1 else name

    def _head(self, head: Any, F: str) -> str:
        """Add a regressor that is applied to a table, (n_items, n_outputs)."""
        if hasattr(head, "_onnx_model"):
            proto = self._onnx.load_from_string(head._onnx_model())
            found = self._insert(proto, {"X": self.node("Cast", [F], to=1)})
            return self.node("Cast", [found], to=self._number)
        if isinstance(head, (Ridge, RidgeCV, LinearRegression)):
            weights = np.atleast_2d(head.coef_).T
            offsets = np.broadcast_to(head.intercept_, weights.shape[1])
            return self._affine(F, weights, offsets)
        if isinstance(head, MLPRegressor):
            hidden = [head.activation] * (len(head.coefs_) - 1)
            for weights, offsets, activation in zip(
                *(head.coefs_, head.intercepts_, [*hidden, head.out_activation_]),
                strict=True,
            ):
                F = self._affine(F, weights, offsets)
                if activation != "identity":
                    F = self.node(_ACTIVATIONS[activation], [F])
            return F
        found = self._converted(head, F, [head])
        return self.node("Reshape", [found, self.constant(np.array([0, -1]))])

    def _affine(self, F: str, weights: Any, offsets: Any) -> str:
        products = self.node("MatMul", [F, self.constant(np.asarray(weights, float))])
        return self.node("Add", [products, self.constant(np.asarray(offsets, float))])

    def _converted(self, estimator: Any, rows: Any, steps: list[Any]) -> str:
        """Add the graph of an estimator converted by skl2onnx."""
        import skl2onnx
        from skl2onnx.common.data_types import (
            DoubleTensorType,
            FloatTensorType,
            StringTensorType,
        )

        number = DoubleTensorType if self._type is np.float64 else FloatTensorType
        columns = rows if isinstance(rows, dict) else {"X": rows}
        width = 1 if isinstance(rows, dict) else getattr(steps[0], "n_features_in_", 0)
        types = [
            (name, (StringTensorType if value == name else number)([None, width]))
            for name, value in columns.items()
        ]
        try:
            proto = skl2onnx.to_onnx(
                estimator, initial_types=types, target_opset=dict(OPSET)
            )
        except Exception as error:
            names = " -> ".join(type(step).__name__ for step in steps)
            raise TypeError(
                f"{names} cannot be converted to ONNX: {str(error).splitlines()[0]} "
                "Leave out steps that read sound, as in to_onnx(pipeline[1:]), or use "
                "steps that skl2onnx supports."
            ) from error
        return self._insert(proto, columns)

    def _insert(self, proto: Any, inputs: dict[str, str]) -> str:
        """Add the nodes of another graph, and return the name of its first output."""
        from onnx import compose

        self._n += 1
        prefix = f"g{self._n}_"
        graph = compose.add_prefix_graph(proto.graph, prefix)
        for opset in proto.opset_import:  # text uses operators of onnxruntime
            self._opsets.setdefault(opset.domain, opset.version)
        renamed = {f"{prefix}{name}": value for name, value in inputs.items()}
        for node in graph.node:
            for i, name in enumerate(node.input):
                node.input[i] = renamed.get(name, name)
        self._nodes += graph.node
        self._constants += graph.initializer
        return graph.output[0].name


def _steps_before(model: Any) -> tuple[list[Any], Any]:
    """Return the steps before the last estimator, and this estimator."""
    if hasattr(model, "best_estimator_"):
        return _steps_before(model.best_estimator_)
    if isinstance(model, Pipeline):
        steps = [step for _, step in model.steps[:-1]]
        inner, last = _steps_before(model[-1])
        return [s for s in steps if s not in (None, "passthrough")] + inner, last
    return [], model
