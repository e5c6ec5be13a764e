"""Files of tables and of audio, made for tests."""

import pytest


@pytest.fixture
def write(tmp_path):
    """Write a file, and return its path."""

    def make(content, name="table.tsv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return make


@pytest.fixture
def audio(tmp_path):
    """Make empty files, and return their folder."""

    def make(*files):
        for file in files:
            path = tmp_path / "audio" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "audio"

    return make


def overwritten(content):
    """Return a zip archive whose first compressed bytes are no longer valid."""
    start = 30 + int.from_bytes(content[26:28], "little") + 20
    return content[:start] + b"\xff" * 20 + content[start + 20 :]


def counts_of(taste):
    """Return the plays by item and user."""
    table = taste.plays.tocoo()
    return {
        (taste.item_ids[i].item(), taste.user_ids[u].item()): n
        for i, u, n in zip(*table.coords, table.data, strict=True)
    }
