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
from numba.extending import lower_builtin, models, register_model, type_callable

VECTOR_BYTES = 64

_FUSED = ("contract",)
_REORDERED = ("contract", "reassoc", "nsz")  # sums over the numbers of one vector
_I32 = ir.IntType(32)


class _Vector(types.Type):
    """Some floating-point numbers side by side."""

    def __init__(self, dtype, lanes):
        self.dtype = dtype
        self.lanes = lanes
        super().__init__(name=f"Vector({dtype} x {lanes})")


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        element = ir.FloatType() if vector.dtype.bitwidth == 32 else ir.DoubleType()
        super().__init__(manager, vector, ir.VectorType(element, vector.lanes))


def load(array, j):
    """Return the whole vector that begins at array[j]."""
    return array[j : j + VECTOR_BYTES // array.itemsize].copy()


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


def _compile(function, result_type, *arguments):
    """Give a plain function its type, and the decorated code, where it is compiled."""
    type_callable(function)(lambda context: result_type)
    return lower_builtin(function, *arguments)


def _vector(dtype, lanes=None):
    return _Vector(dtype, lanes or VECTOR_BYTES * 8 // dtype.bitwidth)


def _holds_numbers(array, n_dims):
    """Say whether a type is that of a C-ordered array of floating-point numbers."""
    return (
        isinstance(array, types.Array)
        and (array.ndim, array.layout) == (n_dims, "C")
        and isinstance(array.dtype, types.Float)
    )


def _type_load(lanes=None):
    def result_type(array, j):
        return _vector(array.dtype, lanes) if _holds_numbers(array, 1) else None

    return result_type


def _type_load_row(matrix, row, j):
    return _vector(matrix.dtype) if _holds_numbers(matrix, 2) else None


def _type_store(array, j, vector):
    fits = _holds_numbers(array, 1) and isinstance(vector, _Vector)
    return types.void if fits and array.dtype == vector.dtype else None


def _type_splat(lanes=None):
    return lambda x: _vector(x, lanes)


def _type_splats(four):
    return types.UniTuple(_vector(four.dtype), 4)


def _type_total(a):
    return a.dtype


def _type_totals(a, b, c, d):
    return _Vector(a.dtype, 4) if a == b == c == d == _vector(a.dtype) else None


def _type_transpose(a, b, c, d, e, f, g, h):
    alike = {a, b, c, d, e, f, g, h} == {_vector(a.dtype, 8)}
    return types.UniTuple(a, 8) if alike else None


def _type_prefetch(matrix, row, j):
    return types.void if _holds_numbers(matrix, 2) else None


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


@_compile(load_row, _type_load_row, types.Array, types.Integer, types.Integer)
@_compile(load, _type_load(), types.Array, types.Integer)
@_compile(load_eight, _type_load(8), types.Array, types.Integer)
@_compile(load_four, _type_load(4), types.Array, types.Integer)
def _lower_load(context, builder, signature, args):
    vector = signature.return_type
    kind = context.get_value_type(vector)
    pointer = _pointer(context, builder, signature, args, kind)
    return builder.load(pointer, align=vector.dtype.bitwidth // 8)


@_compile(store, _type_store, types.Array, types.Integer, _Vector)
def _lower_store(context, builder, signature, args):
    to = types.void(*signature.args[:2])
    pointer = _pointer(context, builder, to, args[:2], args[2].type)
    builder.store(args[2], pointer, align=signature.args[2].dtype.bitwidth // 8)
    return context.get_dummy_value()


def _shuffle(builder, a, b, lanes):
    mask = ir.Constant(ir.VectorType(_I32, len(lanes)), list(lanes))
    return builder.shuffle_vector(a, b, mask)


def _broadcast(builder, x, kind):
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, x, _I32(0))
    return _shuffle(builder, first, undefined, [0] * kind.count)


@_compile(splat, _type_splat(), types.Float)
@_compile(splat_eight, _type_splat(8), types.Float)
@_compile(splat_four, _type_splat(4), types.Float)
def _lower_splat(context, builder, signature, args):
    return _broadcast(builder, args[0], context.get_value_type(signature.return_type))


@_compile(splats, _type_splats, _Vector)
def _lower_splats(context, builder, signature, args):
    n = signature.return_type.dtype.lanes
    vectors = [_shuffle(builder, args[0], args[0], [lane] * n) for lane in range(4)]
    return context.make_tuple(builder, signature.return_type, vectors)


@_compile(total, _type_total, _Vector)
def _lower_total(context, builder, signature, args):
    kind = args[0].type
    name = f"llvm.vector.reduce.fadd.v{kind.count}f{signature.return_type.bitwidth}"
    function_type = ir.FunctionType(kind.element, [kind.element, kind])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    zero = ir.Constant(kind.element, -0.0)
    return builder.call(function, [zero, args[0]], fastmath=_REORDERED)


@_compile(totals, _type_totals, *[_Vector] * 4)
def _lower_totals(context, builder, signature, args):
    n = args[0].type.count
    quarter = n // 4

    def folded(x, y, low, step):
        """Add the numbers `step` above `low`, of x and y side by side."""
        low = [*low, *(lane + n for lane in low)]
        high = [lane + step for lane in low]
        return builder.fadd(_shuffle(builder, x, y, low), _shuffle(builder, x, y, high))

    ab, cd = (folded(x, y, range(n // 2), n // 2) for x, y in (args[:2], args[2:]))
    sums = folded(ab, cd, [*range(quarter), *range(n // 2, n // 2 + quarter)], quarter)
    step = quarter
    while step > 1:
        step //= 2
        swapped = _shuffle(builder, sums, sums, [lane ^ step for lane in range(n)])
        sums = builder.fadd(sums, swapped)
    return _shuffle(builder, sums, sums, range(0, n, quarter))


@_compile(transpose, _type_transpose, *[_Vector] * 8)
def _lower_transpose(context, builder, signature, args):
    low, high = [0, 8, 1, 9, 2, 10, 3, 11], [4, 12, 5, 13, 6, 14, 7, 15]
    rows = list(args)
    # Interleave rows i and i + 4 three times: a perfect shuffle each.
    for _ in range(3):
        rows = [
            _shuffle(builder, rows[i], rows[i + 4], lanes)
            for i in range(4)
            for lanes in (low, high)
        ]
    return context.make_tuple(builder, signature.return_type, rows)


@_compile(prefetch, _type_prefetch, types.Array, types.Integer, types.Integer)
def _lower_prefetch(context, builder, signature, args):
    pointer = _pointer(context, builder, signature, args, ir.IntType(8))
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, _I32, _I32, _I32])
    hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    # read, to all cache levels, data
    builder.call(hint, [pointer, _I32(0), _I32(3), _I32(1)])
    return context.get_dummy_value()


def _define(symbol, instruction):
    """Let an operator act on two vectors, or on a vector and a number."""

    def result_type(a, b):
        return a if isinstance(a, _Vector) and b in (a, a.dtype) else None

    @_compile(symbol, result_type, _Vector, _Vector)
    def lower(context, builder, signature, args):
        return getattr(builder, instruction)(*args, flags=_FUSED)

    @lower_builtin(symbol, _Vector, types.Float)
    def lower_number(context, builder, signature, args):
        number = _broadcast(builder, args[1], args[0].type)
        return getattr(builder, instruction)(args[0], number, flags=_FUSED)


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
