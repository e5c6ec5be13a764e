"""Texts that docstrings share."""

from skcoldstart._utils.docstrings import documented, filled

TEXTS = {"reading": "n_jobs : int\n    Threads.\n"}


def test_a_text_is_indented_as_its_line():
    for indent in ("", "    ", "        "):
        found = filled(f"Read.\n{indent}<reading>\n{indent}x : int", TEXTS)
        expected = f"{indent}n_jobs : int\n{indent}    Threads.\n{indent}x : int"
        assert found == f"Read.\n{expected}"


def test_other_lines_in_angle_brackets_stay():
    docstring = "A tag:\n\n    <reader>\n    see <reading>"
    assert filled(docstring, TEXTS) == docstring


def test_a_function_without_a_docstring_stays_without():
    @documented(TEXTS)
    def read(path):
        return path

    assert read.__doc__ is None and read(1) == 1
