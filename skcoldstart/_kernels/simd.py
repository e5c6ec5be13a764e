"""Vectors of 64 bytes: a cache line, in one register or several of any processor.

Written out, loops over rows of factors keep them in registers, which LLVM does not
find by itself. ``+``, ``-`` and ``*`` act on vectors of one type. Sums may be reordered
when they are compiled, never when run; NaN and infinity stay what they are.

Functions that pass vectors are to be compiled with their caller, without a cache of
their own: its index would name the type, and could not be read once that moves.
"""

import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import (
    intrinsic,
    lower_builtin,
    register_model,
    type_callable,
)

VECTOR_BYTES = 64
FLAGS = ("reassoc", "nsz", "contract", "arcp")
LANE = ir.IntType(32)


class Vector(types.Type):
    """Some floating-point numbers side by side."""

    def __init__(self, dtype, lanes):
        self.dtype = dtype
        self.lanes = lanes
        super().__init__(name=f"Vector({dtype} x {lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        element = ir.FloatType() if vector.dtype.bitwidth == 32 else ir.DoubleType()
        super().__init__(manager, vector, ir.VectorType(element, vector.lanes))


def _full(dtype):
    return Vector(dtype, VECTOR_BYTES * 8 // dtype.bitwidth)


def _pointer(context, builder, array_type, array, indices, vector):
    array = context.make_array(array_type)(context, builder, array)
    element = cgutils.get_item_pointer(context, builder, array_type, array, indices)
    return builder.bitcast(element, context.get_value_type(vector).as_pointer())


def _shuffle(builder, a, b, lanes):
    mask = ir.Constant(ir.VectorType(LANE, len(lanes)), list(lanes))
    return builder.shuffle_vector(a, b, mask)


def _load(vector):
    def codegen(context, builder, signature, args):
        array_type, (array, *indices) = signature.args[0], args
        value = builder.load(
            _pointer(context, builder, array_type, array, indices, vector)
        )
        value.align = vector.dtype.bitwidth // 8
        return value

    return codegen


def _define(symbol, instruction):
    """Let an operator act on two vectors of one type."""

    @type_callable(symbol)
    def type_operator(context):
        def typer(a, b):
            return a if isinstance(a, Vector) and a == b else None

        return typer

    @lower_builtin(symbol, Vector, Vector)
    def lower_operator(context, builder, signature, args):
        return getattr(builder, instruction)(*args, flags=FLAGS)


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")


@intrinsic
def load(typingctx, array, j):
    """Return the vector that begins at array[j]."""
    vector = _full(array.dtype)
    return vector(array, types.intp), _load(vector)


@intrinsic
def load_row(typingctx, matrix, row, j):
    """Return the vector that begins at matrix[row, j]."""
    vector = _full(matrix.dtype)
    return vector(matrix, types.intp, types.intp), _load(vector)


@intrinsic
def load_four(typingctx, array, j):
    """Return array[j:j + 4]."""
    vector = Vector(array.dtype, 4)
    return vector(array, types.intp), _load(vector)


@intrinsic
def store(typingctx, array, j, vector):
    """Write a vector to array[j:]."""

    def codegen(context, builder, signature, args):
        array, j, value = args
        pointer = _pointer(context, builder, signature.args[0], array, [j], vector)
        builder.store(value, pointer).align = vector.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), codegen


def _splat(context, builder, signature, args):
    kind = context.get_value_type(signature.return_type)
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, args[0], LANE(0))
    return _shuffle(builder, first, undefined, [0] * kind.count)


@intrinsic
def splat(typingctx, x):
    """Return a vector of x."""
    return _full(x)(x), _splat


@intrinsic
def splat_four(typingctx, x):
    """Return four times x."""
    return Vector(x, 4)(x), _splat


@intrinsic(prefer_literal=True)
def splat_lane(typingctx, four, k):
    """Return a vector of number k of four; k is a literal."""
    vector = _full(four.dtype)
    lane = k.literal_value

    def codegen(context, builder, signature, args):
        return _shuffle(builder, args[0], args[0], [lane] * vector.lanes)

    return vector(four, k), codegen


@intrinsic
def total(typingctx, a):
    """Return the sum of a vector."""

    def codegen(context, builder, signature, args):
        kind = args[0].type
        name = f"llvm.vector.reduce.fadd.v{kind.count}f{a.dtype.bitwidth}"
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(kind.element, [kind.element, kind]),
            name,
        )
        zero = ir.Constant(kind.element, -0.0)
        return builder.call(function, [zero, args[0]], fastmath=FLAGS)

    return a.dtype(a), codegen


@intrinsic
def totals(typingctx, a, b, c, d):
    """Return the sums of four vectors, at less than the cost of two."""
    four = Vector(a.dtype, 4)

    def codegen(context, builder, signature, args):
        n = a.lanes
        half, quarter = range(n // 2), n // 4

        def folded(x, y, low, step):
            """Add the numbers `step` above `low`, of x and y side by side."""
            low = [*low, *(lane + n for lane in low)]
            high = [lane + step for lane in low]
            return builder.fadd(
                _shuffle(builder, x, y, low),
                _shuffle(builder, x, y, high),
                flags=FLAGS,
            )

        ab, cd = (folded(x, y, half, n // 2) for x, y in (args[:2], args[2:]))
        sums = folded(
            ab, cd, [*range(quarter), *range(n // 2, n // 2 + quarter)], quarter
        )
        step = quarter
        while step > 1:
            step //= 2
            swapped = _shuffle(builder, sums, sums, [lane ^ step for lane in range(n)])
            sums = builder.fadd(sums, swapped, flags=FLAGS)
        return _shuffle(builder, sums, sums, range(0, n, quarter))

    return four(a, b, c, d), codegen


@intrinsic
def prefetch(typingctx, matrix, row, j):
    """Ask for the cache line of matrix[row, j]."""

    def codegen(context, builder, signature, args):
        array_type, (matrix, *indices) = signature.args[0], args
        array = context.make_array(array_type)(context, builder, matrix)
        element = cgutils.get_item_pointer(context, builder, array_type, array, indices)
        byte, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        hint = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32]),
            "llvm.prefetch.p0",
        )
        # read, to all cache levels, data
        builder.call(hint, [builder.bitcast(element, byte), i32(0), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp), codegen
