"""Rows of a few vectors, held in registers, and their products with rows of a matrix.

A row is a tuple of whole vectors. How many is known when the code is compiled, from
the tuple `held` that kernels are called with: it has as many elements, and each length
is compiled for itself. Rows of the matrix are named by entries of an index array, as
many at a time as a vector has numbers, so that their sums are taken together at less
than a third of what each alone would cost. Uncompiled code sees the same functions on
small arrays.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

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

_I32 = ir.IntType(32)
_INTP = ir.IntType(types.intp.bitwidth)


def load_held(array, held):
    """Return an array as a row: a vector for each element of `held`."""
    return tuple(np.split(array.copy(), len(held)))


def store_held(array, row):
    """Write a row to an array."""
    array[:] = np.concatenate(row)


def ask_for(Z, i, held):
    """Ask for the cache lines of Z[i]."""


def dot(Z, i, x):
    """Return the vector whose sum is the product of Z[i] and the row x."""
    return (Z[i] * np.concatenate(x)).reshape(len(x), -1).sum(axis=0)


def dots(Z, indices, n, x, ahead):
    """Return the products of a vector of rows ``Z[indices[n + k]]`` and the row x.

    `ahead` is how many entries later the rows stand that are asked for, 0 for none.
    """
    return Z[indices[n : n + len(x[0])]] @ np.concatenate(x)


def add_row(q, c, Z, i):
    """Return the row q plus the number c times Z[i]."""
    return tuple(np.split(np.concatenate(q) + c * Z[i], len(q)))


def add_rows(q, c, Z, indices, n):
    """Return the row q plus ``c[k] Z[indices[n + k]]`` for each number of c."""
    added = c @ Z[indices[n : n + len(c)]]
    return tuple(np.split(np.concatenate(q) + added, len(q)))


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
        """Return the address of row i."""
        return self._builder.gep(self._first, [self._builder.mul(i, self._stride)])

    def ask_for(self, row, n_vectors):
        for k in range(n_vectors):
            line = self._builder.gep(row, [_I32(VECTOR_BYTES * k)])
            ask_for_line(self._builder, line)

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
    """Return where the vectors of a row stand in an array, and their alignment."""
    data = context.make_array(array_type)(context, builder, array).data
    kind = context.get_value_type(row_type.dtype)
    first = builder.bitcast(data, kind.as_pointer())
    places = [builder.gep(first, [_I32(k)]) for k in range(row_type.count)]
    return places, array_type.dtype.bitwidth // 8


def _type_load_held(array, held):
    if not holds_numbers(array, 1):
        return None
    return types.UniTuple(vector_of(array.dtype), len(held))


def _type_store_held(array, row):
    fits = holds_numbers(array, 1) and row.dtype == vector_of(array.dtype)
    return types.void if fits else None


def _type_ask_for(Z, i, held):
    return types.void if holds_numbers(Z, 2) else None


def _type_dot(Z, i, x):
    return x.dtype if _fit(Z, x) else None


def _type_dots(Z, indices, n, x, ahead):
    return x.dtype if _fit(Z, x) else None


def _type_add_row(q, c, Z, i):
    return q if _fit(Z, q) and c == Z.dtype else None


def _type_add_rows(q, c, Z, indices, n):
    return q if _fit(Z, q) and c == q.dtype else None


def _fit(Z, row):
    return holds_numbers(Z, 2) and row.dtype == vector_of(Z.dtype)


@compile_function(load_held, _type_load_held, types.Array, types.BaseTuple)
def _lower_load_held(context, builder, signature, args):
    row = signature.return_type
    places, align = _places(context, builder, signature.args[0], args[0], row)
    loaded = [builder.load(place, align=align) for place in places]
    return context.make_tuple(builder, row, loaded)


@compile_function(store_held, _type_store_held, types.Array, types.BaseTuple)
def _lower_store_held(context, builder, signature, args):
    array, row = signature.args
    places, align = _places(context, builder, array, args[0], row)
    for place, vector in zip(
        places, cgutils.unpack_tuple(builder, args[1]), strict=True
    ):
        builder.store(vector, place, align=align)
    return context.get_dummy_value()


@compile_function(ask_for, _type_ask_for, types.Array, types.Integer, types.BaseTuple)
def _lower_ask_for(context, builder, signature, args):
    matrix = _Matrix(context, builder, signature.args[0], args[0])
    i = context.cast(builder, args[1], signature.args[1], types.intp)
    matrix.ask_for(matrix.row(i), signature.args[2].count)
    return context.get_dummy_value()


@compile_function(dot, _type_dot, types.Array, types.Integer, types.BaseTuple)
def _lower_dot(context, builder, signature, args):
    matrix = _Matrix(context, builder, signature.args[0], args[0])
    i = context.cast(builder, args[1], signature.args[1], types.intp)
    return matrix.dot(matrix.row(i), cgutils.unpack_tuple(builder, args[2]))


@compile_function(
    dots,
    _type_dots,
    *(types.Array, types.Array, types.Integer, types.BaseTuple, types.Integer),
)
def _lower_dots(context, builder, signature, args):
    matrix = _Matrix(context, builder, signature.args[0], args[0])
    n, ahead = (
        context.cast(builder, args[place], signature.args[place], types.intp)
        for place in (2, 4)
    )
    entry = _entries(context, builder, signature.args[1], args[1], n)
    x = cgutils.unpack_tuple(builder, args[3])
    lanes = signature.return_type.lanes
    even, odd = range(0, 2 * lanes, 2), range(1, 2 * lanes, 2)

    def products(first, count, *, asking):
        """Generate the sums of some products, neighbours side by side."""
        if count == 1:
            if asking:
                later = entry(builder.add(ahead, _INTP(first)))
                matrix.ask_for(matrix.row(later), len(x))
            return matrix.dot(matrix.row(entry(_INTP(first))), x)
        half = count // 2
        low = products(first, half, asking=asking)
        high = products(first + half, half, asking=asking)
        return builder.fadd(
            shuffle(builder, low, high, even), shuffle(builder, low, high, odd)
        )

    with builder.if_else(builder.icmp_signed("!=", ahead, _INTP(0))) as (then, other):
        with then:
            asked, end_of_then = products(0, lanes, asking=True), builder.block
        with other:
            silent, end_of_other = products(0, lanes, asking=False), builder.block
    result = builder.phi(asked.type)
    result.add_incoming(asked, end_of_then)
    result.add_incoming(silent, end_of_other)
    return result


@compile_function(
    add_row, _type_add_row, types.BaseTuple, types.Float, types.Array, types.Integer
)
def _lower_add_row(context, builder, signature, args):
    matrix = _Matrix(context, builder, signature.args[2], args[2])
    i = context.cast(builder, args[3], signature.args[3], types.intp)
    q, c = cgutils.unpack_tuple(builder, args[0]), args[1]
    added = matrix.add(q, broadcast(builder, c, matrix.kind), matrix.row(i))
    return context.make_tuple(builder, signature.return_type, added)


@compile_function(
    add_rows,
    _type_add_rows,
    *(types.BaseTuple, Vector, types.Array, types.Array, types.Integer),
)
def _lower_add_rows(context, builder, signature, args):
    matrix = _Matrix(context, builder, signature.args[2], args[2])
    n = context.cast(builder, args[4], signature.args[4], types.intp)
    entry = _entries(context, builder, signature.args[3], args[3], n)
    lanes = signature.args[1].lanes
    # `dots` has just read these rows. There are more than registers: LLVM would not
    # read them again but keep what it read, in memory of its own.
    builder.fence("acq_rel", "singlethread")
    # Two sums side by side, since each has to wait for the one before.
    sums = cgutils.unpack_tuple(builder, args[0])
    others = [ir.Constant(matrix.kind, [0.0] * lanes) for _ in sums]
    for k in range(lanes):
        c = shuffle(builder, args[1], args[1], [k] * lanes)
        sums, others = others, matrix.add(sums, c, matrix.row(entry(_INTP(k))))
    added = [builder.fadd(a, b) for a, b in zip(sums, others, strict=True)]
    return context.make_tuple(builder, signature.return_type, added)
