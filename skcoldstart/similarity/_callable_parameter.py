"""A parameter and a method of one name."""

from collections.abc import Callable
from typing import Any

__all__ = ["CallableParameter"]


class _Value(str):
    """The parameter's value, which calls the method."""

    __slots__ = ("_method",)
    _method: Callable[..., Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._method(*args, **kwargs)


class CallableParameter:
    """Let a parameter of an estimator share its name with a method.

    On an estimator, the attribute is equal to the parameter's value, a string, and can
    be called as the method; on the class, it is the method. The value itself, of any
    type, is kept under the same name in the estimator's ``__dict__``, from which
    `get_params` has to take it.
    """

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, estimator: Any, owner: type | None = None) -> Any:
        if estimator is None:
            return self._method
        value = _Value(vars(estimator)[self._name])
        value._method = self._method.__get__(estimator)
        return value

    def __set__(self, estimator: Any, value: Any) -> None:
        vars(estimator)[self._name] = value
