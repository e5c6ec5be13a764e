"""Rows of a few vectors, and their products with rows of a matrix.

A row is a tuple of whole vectors in registers. Their number is known at compile time:
it is the length of the tuple `width` passed to kernels. Rows of the matrix are
selected by entries of an index array, one vector of entries at a time, so their sums
are computed together at less than a third of the separate cost.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils

from skcoldstart._kernels.simd.vectors import (
    FUSED,
    VECTOR_BYTES,
    Vector,
    broadcast,
    compile_function,
    holds_numbers,
    integers,
    prefetch_line,
    shuffle,
    vector_of,
)

_I32 = ir.IntType(32)
_INTP = ir.IntType(types.intp.bitwidth)


def read_row(array, width):
    """Return an array as a row: one vector for each element of `width`."""


def write_row(array, row):
    """Write a row to an array."""


def dot(Z, i, x):
    """Return a vector whose sum is the product of Z[i] and the row x."""


def dots(Z, indices, n, x, ahead):
    """Return the products of a vector of rows ``Z[indices[n + k]]`` and the row x.

    Rows of entries `ahead` positions later are prefetched; 0 prefetches none.
    """


def add_row(q, c, Z, i):
    """Return the row q plus the number c times Z[i]."""


def add_rows(q, c, Z, indices, n):
    """Return the row q plus ``c[k] Z[indices[n + k]]`` for each number of c."""


class _Matrix:
    """Rows of a matrix, for code that is being generated."""

    def __init__(self, context, builder, matrix_type, matrix):
        array = context.make_array(matrix_type)(context, builder, matrix)
        self._builder = builder
        self._align = matrix_type.dtype.bitwidth // 8
        self.kind = context.get_value_type(vector_of(matrix_type.dtype))
        self._stride = cgutils.unpack_tuple(builder, array.strides)[0]
        self._first = builder.bitcast(array.data, ir.IntType(8).as_pointer())

    def row(self, i):
        return self._builder.gep(self._first, [self._builder.mul(i, self._stride)])

    def prefetch(self, row, n_vectors):
        for k in range(n_vectors):
            line = self._builder.gep(row, [_I32(VECTOR_BYTES * k)])
            prefetch_line(self._builder, line)

    def dot(self, row, x):
        product = None
        for vector, part in zip(self._vectors(row, len(x)), x, strict=True):
            term = self._builder.fmul(vector, part, flags=FUSED)
            product = self._sum(product, term) if product is not None else term
        return product

    def add(self, q, c, row):
        return [
            self._sum(part, self._builder.fmul(vector, c, flags=FUSED))
            for vector, part in zip(self._vectors(row, len(q)), q, strict=True)
        ]

    def _vectors(self, row, count):
        first = self._builder.bitcast(row, self.kind.as_pointer())
        for k in range(count):
            place = self._builder.gep(first, [_I32(k)])
            yield self._builder.load(place, align=self._align)

    def _sum(self, a, b):
        return self._builder.fadd(a, b, flags=FUSED)


def _entries(context, builder, array_type, array, n):
    """Return the function of k that generates ``array[n + k]``."""
    data = context.make_array(array_type)(context, builder, array).data

    def entry(k):
        value = builder.load(builder.gep(data, [builder.add(n, k)]))
        return context.cast(builder, value, array_type.dtype, types.intp)

    return entry


def _places(context, builder, array_type, array, row_type):
    """Return the positions of the vectors of a row in an array, and their alignment."""
    data = context.make_array(array_type)(context, builder, array).data
    kind = context.get_value_type(row_type.dtype)
    first = builder.bitcast(data, kind.as_pointer())
    places = [builder.gep(first, [_I32(k)]) for k in range(row_type.count)]
    return places, array_type.dtype.bitwidth // 8


def _type_read_row(array, width):
    if not holds_numbers(array, 1):
        return None
    return types.UniTuple(vector_of(array.dtype), len(width))


def _type_write_row(array, row):
    fits = holds_numbers(array, 1) and row.dtype == vector_of(array.dtype)
    return types.void if fits else None


def _fit(Z, row):
    return holds_numbers(Z, 2) and row.dtype == vector_of(Z.dtype)


@compile_function(read_row, _type_read_row, types.Array, types.BaseTuple)
def _lower_read_row(context, builder, signature, args):
    row = signature.return_type
    places, align = _places(context, builder, signature.args[0], args[0], row)
    loaded = [builder.load(place, align=align) for place in places]
    return context.make_tuple(builder, row, loaded)


@compile_function(write_row, _type_write_row, types.Array, types.BaseTuple)
def _lower_write_row(context, builder, signature, args):
    array, row = signature.args
    places, align = _places(context, builder, array, args[0], row)
    vectors = cgutils.unpack_tuple(builder, args[1])
    for place, vector in zip(places, vectors, strict=True):
        builder.store(vector, place, align=align)
    return context.get_dummy_value()


@compile_function(
    dot,
    lambda Z, i, x: x.dtype if _fit(Z, x) else None,
    *(types.Array, types.Integer, types.BaseTuple),
)
def _lower_dot(context, builder, signature, args):
    (i,) = integers(context, builder, signature, args, 1)
    matrix = _Matrix(context, builder, signature.args[0], args[0])
    return matrix.dot(matrix.row(i), cgutils.unpack_tuple(builder, args[2]))


@compile_function(
    dots,
    lambda Z, indices, n, x, ahead: x.dtype if _fit(Z, x) else None,
    *(types.Array, types.Array, types.Integer, types.BaseTuple, types.Integer),
)
def _lower_dots(context, builder, signature, args):
    n, ahead = integers(context, builder, signature, args, 2, 4)
    matrix = _Matrix(context, builder, signature.args[0], args[0])
    entry = _entries(context, builder, signature.args[1], args[1], n)
    x = cgutils.unpack_tuple(builder, args[3])
    lanes = signature.return_type.lanes
    even, odd = range(0, 2 * lanes, 2), range(1, 2 * lanes, 2)

    def products(first, count, *, prefetching):
        """Generate the sums of products, adjacent ones together."""
        if count == 1:
            if prefetching:
                later = entry(builder.add(ahead, _INTP(first)))
                matrix.prefetch(matrix.row(later), len(x))
            return matrix.dot(matrix.row(entry(_INTP(first))), x)
        half = count // 2
        low = products(first, half, prefetching=prefetching)
        high = products(first + half, half, prefetching=prefetching)
        return builder.fadd(
            shuffle(builder, low, high, even), shuffle(builder, low, high, odd)
        )

    with builder.if_else(builder.icmp_signed("!=", ahead, _INTP(0))) as (then, other):
        with then:
            hurried, end_of_then = products(0, lanes, prefetching=True), builder.block
        with other:
            calm, end_of_other = products(0, lanes, prefetching=False), builder.block
    result = builder.phi(calm.type)
    result.add_incoming(hurried, end_of_then)
    result.add_incoming(calm, end_of_other)
    return result


@compile_function(
    add_row,
    lambda q, c, Z, i: q if _fit(Z, q) and c == Z.dtype else None,
    *(types.BaseTuple, types.Float, types.Array, types.Integer),
)
def _lower_add_row(context, builder, signature, args):
    (i,) = integers(context, builder, signature, args, 3)
    matrix = _Matrix(context, builder, signature.args[2], args[2])
    q, c = cgutils.unpack_tuple(builder, args[0]), args[1]
    added = matrix.add(q, broadcast(builder, c, matrix.kind), matrix.row(i))
    return context.make_tuple(builder, signature.return_type, added)


@compile_function(
    add_rows,
    lambda q, c, Z, indices, n: q if _fit(Z, q) and c == q.dtype else None,
    *(types.BaseTuple, Vector, types.Array, types.Array, types.Integer),
)
def _lower_add_rows(context, builder, signature, args):
    (n,) = integers(context, builder, signature, args, 4)
    matrix = _Matrix(context, builder, signature.args[2], args[2])
    entry = _entries(context, builder, signature.args[3], args[3], n)
    lanes = signature.args[1].lanes
    # `dots` has just read these rows. They exceed the registers: instead of reading
    # them again, LLVM would spill them to the stack.
    builder.fence("acq_rel", "singlethread")
    # Two interleaved sums, because each addition waits for the previous one.
    sums = cgutils.unpack_tuple(builder, args[0])
    others = [ir.Constant(matrix.kind, [0.0] * lanes) for _ in sums]
    for k in range(lanes):
        c = shuffle(builder, args[1], args[1], [k] * lanes)
        sums, others = others, matrix.add(sums, c, matrix.row(entry(_INTP(k))))
    added = [builder.fadd(a, b) for a, b in zip(sums, others, strict=True)]
    return context.make_tuple(builder, signature.return_type, added)
