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


def test_methods_of_a_class_are_filled_in_with_its_name():
    @documented({"result": "Returns\n-------\n<class>\n"})
    class Display:
        """<result>"""

        @classmethod
        def make(cls):
            """<result>"""

        @property
        def table(self):
            """<result>"""

    expected = "Returns\n-------\nDisplay"
    for part in (Display, Display.make, Display.table):
        assert part.__doc__ == expected
