"""The musicnn network in numpy, a loop over places where it can be; checkpoints too."""

import numpy as np

EPSILON = 1e-3
# Height and width (time x bands) of the filters, and how many there are.
FRONTEND = [(7, 38, 204), (7, 67, 204), (128, 1, 51), (64, 1, 51), (32, 1, 51)]
N_CHANNELS = sum(n for *_, n in FRONTEND)
MIDEND = [(7, N_CHANNELS, 64), (7, 64, 64), (7, 64, 64)]
N_JOINED = N_CHANNELS + sum(n for *_, n in MIDEND)


def random_weights(seed):
    """Return weights of musicnn's shapes and names, of moderate size."""
    rng = np.random.default_rng(seed)
    weights = {}

    def layer(name, *shape):
        fan_in = np.prod(shape[:-1])
        weights[f"{name}/kernel"] = rng.normal(size=shape) / np.sqrt(fan_in)
        weights[f"{name}/bias"] = 0.1 * rng.normal(size=shape[-1])

    def norm(i, size):
        name = f"batch_normalization_{i}" if i else "batch_normalization"
        sign = rng.choice([-1, 1], size)  # as in the trained network
        weights[f"{name}/gamma"] = sign * (1 + 0.1 * rng.normal(size=size))
        weights[f"{name}/beta"] = 0.1 * rng.normal(size=size)
        weights[f"{name}/moving_mean"] = 0.1 * rng.normal(size=size)
        weights[f"{name}/moving_variance"] = rng.uniform(0.5, 2, size=size)

    norm(0, 1)
    for i, (height, width, n) in enumerate(FRONTEND + MIDEND):
        layer(f"conv2d_{i}" if i else "conv2d", height, width, 1, n)
        norm(i + 1, n)
    norm(9, 2 * N_JOINED)
    layer("dense", 2 * N_JOINED, 200)
    norm(10, 200)
    layer("dense_1", 200, 50)
    return {name: value.astype(np.float32) for name, value in weights.items()}


def musicnn_layers(weights, window):
    """Return the layers of one log-mel window of shape (n_frames, 96), in float64."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}

    def norm(i, x):
        name = f"batch_normalization_{i}" if i else "batch_normalization"
        scale = w[f"{name}/gamma"] / np.sqrt(w[f"{name}/moving_variance"] + EPSILON)
        return (x - w[f"{name}/moving_mean"]) * scale + w[f"{name}/beta"]

    def convolve(i, image):
        """Return (time, bands left, filters) of an image of shape (time, bands)."""
        name = f"conv2d_{i}" if i else "conv2d"
        kernel = w[f"{name}/kernel"][:, :, 0]
        height, width, _ = kernel.shape
        padded = np.pad(image, (((height - 1) // 2, height // 2), (0, 0)))
        out = np.empty(
            (len(image), image.shape[1] - width + 1, kernel.shape[2]), np.float64
        )
        for t in range(out.shape[0]):
            for b in range(out.shape[1]):
                part = padded[t : t + height, b : b + width]
                out[t, b] = np.tensordot(part, kernel, 2)
        return norm(i + 1, np.maximum(out + w[f"{name}/bias"], 0))

    x = norm(0, window[:, :, None].astype(np.float64))[:, :, 0]
    features = [np.hstack([convolve(i, x).max(axis=1) for i in range(5)])]
    for i in range(5, 8):
        out = convolve(i, features[-1])[:, 0]
        features.append(out if i == 5 else out + features[-1])
    joined = np.hstack(features)
    pooled = np.column_stack([joined.max(axis=0), joined.mean(axis=0)]).ravel()
    hidden = norm(9, pooled) @ w["dense/kernel"] + w["dense/bias"]
    penultimate = norm(10, np.maximum(hidden, 0))
    logits = penultimate @ w["dense_1/kernel"] + w["dense_1/bias"]
    return {
        "mean_pool": joined.mean(axis=0),
        "max_pool": joined.max(axis=0),
        "pool": pooled,
        "penultimate": penultimate,
        "tags": 1 / (1 + np.exp(-logits)),
    }


def write_checkpoint(tensors):
    """Return the bytes of the index and of the data file of a TensorFlow checkpoint."""
    data, entries = b"", [(b"", b"\x08\x01")]
    codes = {"float32": 1, "int32": 3, "int64": 9}
    for name in sorted(tensors):
        value = np.ascontiguousarray(tensors[name])
        shape = b"".join(_field(2, _number(1, size)) for size in value.shape)
        entry = _number(1, codes[value.dtype.name]) + _field(2, shape)
        entry += _number(4, len(data)) + _number(5, value.nbytes)
        entries.append((name.encode(), entry + b"\x35" + bytes(4)))
        data += value.tobytes()
    first, second = entries[: len(entries) // 2], entries[len(entries) // 2 :]
    table, handles = b"", []
    for block in (first, second):
        content = _block(block)
        handles.append((block[-1][0], _varint(len(table)) + _varint(len(content))))
        table += content + bytes(5)
    top = _block(handles)
    at = len(table)
    footer = _varint(0) + _varint(0) + _varint(at) + _varint(len(top))
    table += top + bytes(5) + footer.ljust(40, b"\0")
    return table + bytes.fromhex("57fb808b247547db"), data


def _block(entries):
    content, last = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(last), len(key)) and last[shared] == key[shared]:
            shared += 1
        content += _varint(shared) + _varint(len(key) - shared) + _varint(len(value))
        content += key[shared:] + value
        last = key
    return content + bytes(4) + (1).to_bytes(4, "little")


def _varint(value):
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _number(field, value):
    return _varint(field << 3) + _varint(value)


def _field(field, content):
    return _varint(field << 3 | 2) + _varint(len(content)) + content
