"""A numba type for a vector of floating-point numbers in a register."""

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
    """Generate a vector of x."""
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
