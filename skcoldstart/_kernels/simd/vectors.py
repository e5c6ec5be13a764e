"""Vectors of adjacent numbers, in registers of any processor.

Explicit vectors stay in registers between operations. LLVM cannot do this by itself if
rows of one array might overlap. ``+``, ``-`` and ``*`` act on vectors of one type, or
on a vector and a number; a product and a sum may be fused, other operations are rounded
as written. A whole vector is 64 bytes, a cache line.

Functions that pass vectors must be compiled with their caller, without a cache of their
own: its index would contain the type, and could not be read after that type is moved.
"""

import operator

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import lower_builtin, models, register_model, type_callable

VECTOR_BYTES = 64
FUSED = ("contract",)

_I32 = ir.IntType(32)


class Vector(types.Type):
    """A vector of floating-point numbers."""

    def __init__(self, dtype, lanes):
        self.dtype = dtype
        self.lanes = lanes
        super().__init__(name=f"Vector({dtype} x {lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, vector):
        element = ir.FloatType() if vector.dtype.bitwidth == 32 else ir.DoubleType()
        super().__init__(manager, vector, ir.VectorType(element, vector.lanes))


def compile_function(function, result_type, *arguments):
    """Register the type of a plain function, and its compiled code."""
    type_callable(function)(lambda context: result_type)
    return lower_builtin(function, *arguments)


def vector_of(dtype, lanes=None):
    """Return the type of a vector, a whole one unless `lanes` says how many numbers."""
    return Vector(dtype, lanes or VECTOR_BYTES * 8 // dtype.bitwidth)


def holds_numbers(array, n_dims):
    """Return whether a type is a C-ordered array of floating-point numbers."""
    return (
        isinstance(array, types.Array)
        and (array.ndim, array.layout) == (n_dims, "C")
        and isinstance(array.dtype, types.Float)
    )


def shuffle(builder, a, b, lanes):
    """Generate a shuffle of two vectors by positions in both."""
    mask = ir.Constant(ir.VectorType(_I32, len(lanes)), list(lanes))
    return builder.shuffle_vector(a, b, mask)


def broadcast(builder, x, kind):
    undefined = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(undefined, x, _I32(0))
    return shuffle(builder, first, undefined, [0] * kind.count)


def integers(context, builder, signature, args, *places):
    """Generate some arguments as integers of one type."""
    return [
        context.cast(builder, args[place], signature.args[place], types.intp)
        for place in places
    ]


def prefetch_line(builder, pointer):
    """Generate a hint that the cache line of a pointer to bytes will be read."""
    kind = ir.FunctionType(ir.VoidType(), [pointer.type, _I32, _I32, _I32])
    hint = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    # read, to all cache levels, data
    builder.call(hint, [pointer, _I32(0), _I32(3), _I32(1)])


_REORDERED = ("contract", "reassoc", "nsz")  # sums over the numbers of one vector


def lanes_of(array):
    """Return the number of elements of an array in a whole vector."""
    return VECTOR_BYTES // array.itemsize


def load(array, j):
    """Return the whole vector that begins at array[j]."""


def load_at(matrix, row, j):
    """Return the whole vector that begins at matrix[row, j]."""


def prefetch_at(matrix, row, j):
    """Prefetch the cache line of matrix[row, j]."""


def load_eight(array, j):
    """Return array[j:j + 8]."""


def store(array, j, vector):
    """Write a vector to array[j:]."""


def splat(x):
    """Return a whole vector of x."""


def splat_eight(x):
    """Return eight times x."""


def total(a):
    """Return the sum of a vector."""


def transpose(a, b, c, d, e, f, g, h):
    """Return the eight columns of eight rows of eight numbers."""


def _type_load(lanes=None):
    def result_type(array, j):
        return vector_of(array.dtype, lanes) if holds_numbers(array, 1) else None

    return result_type


def _type_load_at(matrix, row, j):
    return vector_of(matrix.dtype) if holds_numbers(matrix, 2) else None


def _type_prefetch_at(matrix, row, j):
    return types.void if holds_numbers(matrix, 2) else None


def _type_store(array, j, vector):
    fits = holds_numbers(array, 1) and isinstance(vector, Vector)
    return types.void if fits and array.dtype == vector.dtype else None


def _type_transpose(a, b, c, d, e, f, g, h):
    alike = {a, b, c, d, e, f, g, h} == {vector_of(a.dtype, 8)}
    return types.UniTuple(a, 8) if alike else None


def _pointer(context, builder, signature, args, kind):
    """Return the address of the element of an array at the given indices."""
    array_type = signature.args[0]
    array = context.make_array(array_type)(context, builder, args[0])
    indices = integers(context, builder, signature, args, *range(1, len(args)))
    element = cgutils.get_item_pointer(context, builder, array_type, array, indices)
    return builder.bitcast(element, kind.as_pointer())


@compile_function(lanes_of, lambda array: types.intp, types.Array)
def _lower_lanes_of(context, builder, signature, args):
    # A constant. The size stored in an array is a variable, and loops would divide by
    # it.
    lanes = vector_of(signature.args[0].dtype).lanes
    return context.get_constant(types.intp, lanes)


@compile_function(load_at, _type_load_at, types.Array, types.Integer, types.Integer)
@compile_function(load, _type_load(), types.Array, types.Integer)
@compile_function(load_eight, _type_load(8), types.Array, types.Integer)
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


@compile_function(
    prefetch_at, _type_prefetch_at, types.Array, types.Integer, types.Integer
)
def _lower_prefetch_at(context, builder, signature, args):
    pointer = _pointer(context, builder, signature, args, ir.IntType(8))
    prefetch_line(builder, pointer)
    return context.get_dummy_value()


@compile_function(splat, lambda x: vector_of(x), types.Float)
@compile_function(splat_eight, lambda x: vector_of(x, 8), types.Float)
def _lower_splat(context, builder, signature, args):
    return broadcast(builder, args[0], context.get_value_type(signature.return_type))


@compile_function(total, lambda a: a.dtype, Vector)
def _lower_total(context, builder, signature, args):
    kind = args[0].type
    name = f"llvm.vector.reduce.fadd.v{kind.count}f{signature.return_type.bitwidth}"
    function_type = ir.FunctionType(kind.element, [kind.element, kind])
    function = cgutils.get_or_insert_function(builder.module, function_type, name)
    zero = ir.Constant(kind.element, -0.0)
    return builder.call(function, [zero, args[0]], fastmath=_REORDERED)


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


def _define(symbol, instruction):
    """Define an operator for two vectors, or for a vector and a number."""

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
