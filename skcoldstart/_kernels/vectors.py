"""Vectors of neighbouring numbers, in registers of any processor.

Written out, they stay in registers from operation to operation, which LLVM does not
find by itself where rows of one array might overlap. ``+``, ``-`` and ``*`` act on
vectors of one type, or on a vector and a number; a product and a sum may be fused, all
else is rounded as written. A whole vector is 64 bytes, a cache line. Uncompiled code
sees the same functions on small arrays.

Functions that pass vectors are to be compiled with their caller, without a cache of
their own: its index would name the type, and could not be read once that moves.
"""

import operator

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin

from skcoldstart._kernels.vector_type import (
    FUSED,
    VECTOR_BYTES,
    Vector,
    ask_for_line,
    broadcast,
    compile_function,
    holds_numbers,
    shuffle,
    vector_of,
)

_REORDERED = ("contract", "reassoc", "nsz")  # sums over the numbers of one vector


def lanes_of(array):
    """Return how many of an array's numbers make a whole vector."""
    return VECTOR_BYTES // array.itemsize


def load(array, j):
    """Return the whole vector that begins at array[j]."""
    return array[j : j + lanes_of(array)].copy()


def load_row(matrix, row, j):
    """Return the whole vector that begins at matrix[row, j]."""
    return load(matrix[row], j)


def load_eight(array, j):
    """Return array[j:j + 8]."""
    return array[j : j + 8].copy()


def load_four(array, j):
    """Return array[j:j + 4]."""
    return array[j : j + 4].copy()


def store(array, j, vector):
    """Write a vector to array[j:]."""
    array[j : j + len(vector)] = vector


def splat(x):
    """Return a whole vector of x."""
    return np.full(VECTOR_BYTES // x.itemsize, x)


def splat_eight(x):
    """Return eight times x."""
    return np.full(8, x)


def splat_four(x):
    """Return four times x."""
    return np.full(4, x)


def splats(four):
    """Return a whole vector of each of four numbers."""
    return splat(four[0]), splat(four[1]), splat(four[2]), splat(four[3])


def total(a):
    """Return the sum of a vector."""
    return a.sum()


def totals(a, b, c, d):
    """Return the sums of four whole vectors, at less than the cost of two."""
    return np.array([total(a), total(b), total(c), total(d)])


def transpose(a, b, c, d, e, f, g, h):
    """Return the eight columns of eight rows of eight."""
    return tuple(np.stack([a, b, c, d, e, f, g, h]).T)


def prefetch(matrix, row, j):
    """Ask for the cache line of matrix[row, j]."""


def _type_load(lanes=None):
    def result_type(array, j):
        return vector_of(array.dtype, lanes) if holds_numbers(array, 1) else None

    return result_type


def _type_load_row(matrix, row, j):
    return vector_of(matrix.dtype) if holds_numbers(matrix, 2) else None


def _type_store(array, j, vector):
    fits = holds_numbers(array, 1) and isinstance(vector, Vector)
    return types.void if fits and array.dtype == vector.dtype else None


def _type_splat(lanes=None):
    return lambda x: vector_of(x, lanes)


def _type_splats(four):
    return types.UniTuple(vector_of(four.dtype), 4)


def _type_total(a):
    return a.dtype


def _type_totals(a, b, c, d):
    return Vector(a.dtype, 4) if a == b == c == d == vector_of(a.dtype) else None


def _type_transpose(a, b, c, d, e, f, g, h):
    alike = {a, b, c, d, e, f, g, h} == {vector_of(a.dtype, 8)}
    return types.UniTuple(a, 8) if alike else None


def _type_prefetch(matrix, row, j):
    return types.void if holds_numbers(matrix, 2) else None


def _pointer(context, builder, signature, args, kind):
    """Return where an array has the element of the indices that follow it."""
    array_type = signature.args[0]
    array = context.make_array(array_type)(context, builder, args[0])
    indices = [
        context.cast(builder, value, index_type, types.intp)
        for value, index_type in zip(args[1:], signature.args[1:], strict=True)
    ]
    element = cgutils.get_item_pointer(context, builder, array_type, array, indices)
    return builder.bitcast(element, kind.as_pointer())


@compile_function(lanes_of, lambda array: types.intp, types.Array)
def _lower_lanes_of(context, builder, signature, args):
    # A constant. The size that an array carries is none, and loops would divide by it.
    lanes = vector_of(signature.args[0].dtype).lanes
    return context.get_constant(types.intp, lanes)


@compile_function(load_row, _type_load_row, types.Array, types.Integer, types.Integer)
@compile_function(load, _type_load(), types.Array, types.Integer)
@compile_function(load_eight, _type_load(8), types.Array, types.Integer)
@compile_function(load_four, _type_load(4), types.Array, types.Integer)
def _lower_load(context, builder, signature, args):
    vector = signature.return_type
    kind = context.get_value_type(vector)
    pointer = _pointer(context, builder, signature, args, kind)
    return builder.load(pointer, align=vector.dtype.bitwidth // 8)


@compile_function(store, _type_store, types.Array, types.Integer, Vector)
def _lower_store(context, builder, signature, args):
    to = types.void(*signature.args[:2])
    pointer = _pointer(context, builder, to, args[:2], args[2].type)
    builder.store(args[2], pointer, align=signature.args[2].dtype.bitwidth // 8)
    return context.get_dummy_value()


@compile_function(splat, _type_splat(), types.Float)
@compile_function(splat_eight, _type_splat(8), types.Float)
@compile_function(splat_four, _type_splat(4), types.Float)
def _lower_splat(context, builder, signature, args):
    return broadcast(builder, args[0], context.get_value_type(signature.return_type))


@compile_function(splats, _type_splats, Vector)
def _lower_splats(context, builder, signature, args):
    n = signature.return_type.dtype.lanes
    vectors = [shuffle(builder, args[0], args[0], [lane] * n) for lane in range(4)]
    return context.make_tuple(builder, signature.return_type, vectors)


@compile_function(total, _type_total, Vector)
def _lower_total(context, builder, signature, args):
    kind = args[0].type
    name = f"llvm.vector.reduce.fadd.v{kind.count}f{signature.return_type.bitwidth}"
    function_type = ir.FunctionType(kind.element, [kind.element, kind])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    zero = ir.Constant(kind.element, -0.0)
    return builder.call(function, [zero, args[0]], fastmath=_REORDERED)


@compile_function(totals, _type_totals, *[Vector] * 4)
def _lower_totals(context, builder, signature, args):
    n = args[0].type.count
    quarter = n // 4

    def folded(x, y, low, step):
        """Add the numbers `step` above `low`, of x and y side by side."""
        low = [*low, *(lane + n for lane in low)]
        high = [lane + step for lane in low]
        return builder.fadd(shuffle(builder, x, y, low), shuffle(builder, x, y, high))

    ab, cd = (folded(x, y, range(n // 2), n // 2) for x, y in (args[:2], args[2:]))
    sums = folded(ab, cd, [*range(quarter), *range(n // 2, n // 2 + quarter)], quarter)
    step = quarter
    while step > 1:
        step //= 2
        swapped = shuffle(builder, sums, sums, [lane ^ step for lane in range(n)])
        sums = builder.fadd(sums, swapped)
    return shuffle(builder, sums, sums, range(0, n, quarter))


@compile_function(transpose, _type_transpose, *[Vector] * 8)
def _lower_transpose(context, builder, signature, args):
    low, high = [0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15]
    rows = list(args)
    # Interleave rows i and i + 4 three times: a perfect shuffle each.
    for _ in range(3):
        rows = [
            shuffle(builder, rows[i], rows[i + 4], lanes)
            for i in range(4)
            for lanes in (low, high)
        ]
    return context.make_tuple(builder, signature.return_type, rows)


@compile_function(prefetch, _type_prefetch, types.Array, types.Integer, types.Integer)
def _lower_prefetch(context, builder, signature, args):
    ask_for_line(builder, _pointer(context, builder, signature, args, ir.IntType(8)))
    return context.get_dummy_value()


def _define(symbol, instruction):
    """Let an operator act on two vectors, or on a vector and a number."""

    def result_type(a, b):
        return a if isinstance(a, Vector) and b in (a, a.dtype) else None

    @compile_function(symbol, result_type, Vector, Vector)
    def lower(context, builder, signature, args):
        return getattr(builder, instruction)(*args, flags=FUSED)

    @lower_builtin(symbol, Vector, types.Float)
    def lower_number(context, builder, signature, args):
        number = broadcast(builder, args[1], args[0].type)
        return getattr(builder, instruction)(args[0], number, flags=FUSED)


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
