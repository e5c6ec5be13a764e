"""The guide's code blocks run as doctests, each page in an empty folder."""

import pytest

collect_ignore_glob = ["_build/*", "api/*", "auto_examples/*", "examples/*", "conf.py"]


@pytest.fixture(autouse=True)
def page_in_an_empty_folder(tmp_path, monkeypatch):
    """Keep files that a page writes away from the checkout."""
    monkeypatch.chdir(tmp_path)
