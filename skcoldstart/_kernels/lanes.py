"""Eight single-precision numbers that compiled code holds in one register.

Numba leaves it to LLVM to find vectors in loops, which fails where two rows of one
array might overlap. Here the vectors are spelled out: `load` reads eight neighbours,
``+``, ``-`` and ``*`` act on all of them, `store` writes them back. Uncompiled code
sees the same functions on arrays of eight.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import (
    intrinsic,
    lower_builtin,
    models,
    overload,
    register_model,
    type_callable,
)

__all__ = ["LANES", "load", "splat", "store", "transpose"]

LANES = 8

# Products and sums may be fused; everything else is rounded as written.
_FLAGS = ("contract",)
_LLVM_TYPE = ir.VectorType(ir.FloatType(), LANES)


class _Float32x8(types.Type):
    def __init__(self):
        super().__init__(name="float32x8")


_float32x8 = _Float32x8()


@register_model(_Float32x8)
class _Float32x8Model(models.PrimitiveModel):
    def __init__(self, manager, fe_type):
        super().__init__(manager, fe_type, _LLVM_TYPE)


def load(array, start):
    """Return elements ``start`` to ``start + 7`` of a flat float32 array."""
    return array[start : start + LANES].copy()


def store(array, start, vector):
    """Write a vector to elements ``start`` to ``start + 7`` of a flat array."""
    array[start : start + LANES] = vector


def splat(scalar):
    """Return a vector of eight equal numbers."""
    return np.full(LANES, scalar, np.float32)


def transpose(a, b, c, d, e, f, g, h):
    """Return the eight columns of eight rows."""
    return tuple(np.stack([a, b, c, d, e, f, g, h]).T)


@overload(load)
def _overload_load(array, start):
    return lambda array, start: _load(array, start)


@overload(store)
def _overload_store(array, start, vector):
    return lambda array, start, vector: _store(array, start, vector)


@overload(splat)
def _overload_splat(scalar):
    return lambda scalar: _splat(scalar)


@overload(transpose)
def _overload_transpose(a, b, c, d, e, f, g, h):
    return lambda a, b, c, d, e, f, g, h: _transpose(a, b, c, d, e, f, g, h)


def _is_flat(array):
    return isinstance(array, types.Array) and array.ndim == 1 and array.layout == "C"


def _pointer(context, builder, array_type, array, start):
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [start]), _LLVM_TYPE.as_pointer())


@intrinsic
def _load(typing_context, array, start):
    if not (_is_flat(array) and array.dtype == types.float32):
        return None

    def generate(context, builder, signature, arguments):
        values, position = arguments
        position = context.cast(builder, position, signature.args[1], types.intp)
        pointer = _pointer(context, builder, array, values, position)
        return builder.load(pointer, align=4)

    return _float32x8(array, start), generate


@intrinsic
def _store(typing_context, array, start, vector):
    if not (_is_flat(array) and array.dtype == types.float32):
        return None

    def generate(context, builder, signature, arguments):
        values, position, content = arguments
        position = context.cast(builder, position, signature.args[1], types.intp)
        pointer = _pointer(context, builder, array, values, position)
        builder.store(content, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, start, _float32x8), generate


def _broadcast(builder, scalar):
    empty = ir.Constant(_LLVM_TYPE, ir.Undefined)
    index = ir.IntType(32)
    first = builder.insert_element(empty, scalar, ir.Constant(index, 0))
    zeros = ir.Constant(ir.VectorType(index, LANES), [0] * LANES)
    return builder.shuffle_vector(first, empty, zeros)


@intrinsic
def _splat(typing_context, scalar):
    def generate(context, builder, signature, arguments):
        return _broadcast(builder, arguments[0])

    return _float32x8(types.float32), generate


@intrinsic
def _transpose(typing_context, a, b, c, d, e, f, g, h):
    def generate(context, builder, signature, arguments):
        rows = list(arguments)
        # Interleave rows i and i + 4 three times: a perfect shuffle each.
        for _ in range(3):
            rows = [
                builder.shuffle_vector(rows[i], rows[i + 4], mask)
                for i in range(4)
                for mask in _INTERLEAVE
            ]
        return context.make_tuple(builder, signature.return_type, rows)

    eight = (_float32x8,) * LANES
    return types.UniTuple(_float32x8, LANES)(*eight), generate


_INTERLEAVE = [
    ir.Constant(ir.VectorType(ir.IntType(32), LANES), lanes)
    for lanes in ([0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15])
]


def _define(symbol, instruction):
    """Let an operator act on two vectors, or on a vector and a number."""

    @type_callable(symbol)
    def _type(context):
        def typer(a, b):
            if a == _float32x8 and b in (_float32x8, types.float32):
                return _float32x8
            return None

        return typer

    @lower_builtin(symbol, _Float32x8, _Float32x8)
    def _lower(context, builder, signature, arguments):
        return getattr(builder, instruction)(*arguments, flags=_FLAGS)

    @lower_builtin(symbol, _Float32x8, types.Float)
    def _lower_scalar(context, builder, signature, arguments):
        vector, scalar = arguments
        scalar = _broadcast(builder, scalar)
        return getattr(builder, instruction)(vector, scalar, flags=_FLAGS)


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
