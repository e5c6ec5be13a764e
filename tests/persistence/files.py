"""Model files opened, changed and signed anew, as a stranger would write them."""

import hashlib
import json

import numpy as np

from skcoldstart.persistence import _classes

KNOWN_CLASSES = {name: _classes.class_named(name) for name in _classes._MODULE_OF_CLASS}

DTYPES = {"BOOL": "?", "F16": "f2", "F32": "f4", "F64": "f8", "U8": "u1"} | {
    f"{kind}{bits}": f"{kind.lower()}{bits // 8}"
    for kind in "IU"
    for bits in (16, 32, 64)
}


def read(path):
    """Return the parameters of a file, and its arrays by name."""
    content = path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:start])
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__":
            first, end = (start + place for place in entry["data_offsets"])
            array = np.frombuffer(content[first:end], DTYPES[entry["dtype"]])
            arrays[name] = array.reshape(entry["shape"]).copy()
    return json.loads(header["__metadata__"]["skcoldstart.model"]), arrays


def write(path, document, arrays, **metadata):
    """Write a file whose digests are right, whatever it holds."""
    document["sha256"] = {
        name: hashlib.sha256(array.tobytes()).hexdigest()
        for name, array in arrays.items()
    }
    text = json.dumps(document)
    header = {
        "__metadata__": {
            "skcoldstart.format": "1",
            "skcoldstart.model": text,
            "skcoldstart.sha256": hashlib.sha256(text.encode()).hexdigest(),
        }
        | metadata
    }
    names = {np.dtype(letters): name for name, letters in DTYPES.items()}
    place = 0
    for name, array in arrays.items():
        header[name] = {
            "dtype": names[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [place, place + array.nbytes],
        }
        place += array.nbytes
    head = json.dumps(header).encode()
    body = b"".join(array.tobytes() for array in arrays.values())
    path.write_bytes(len(head).to_bytes(8, "little") + head + body)


def state_of(document, name):
    """Return the state of the first estimator of a class, to be changed in place."""
    found = [
        node["state"]
        for node in nodes(document["estimator"])
        if isinstance(node, dict) and node.get("name") == name and "state" in node
    ]
    return found[0]


def nodes(node):
    """Yield every node of a document."""
    yield node
    children = node.values() if isinstance(node, dict) else node
    if isinstance(node, dict | list):
        for child in children:
            yield from nodes(child)


def set_attribute(document, cls, name, value):
    """Give an estimator of the document another attribute."""
    state = state_of(document, cls)
    state[:] = [pair for pair in state if pair[0] != name] + [[name, value]]
