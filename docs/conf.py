"""Sphinx configuration. The build reads nothing from the network."""

import inspect
import os

from docutils import nodes

import skcoldstart

# Examples are drawn without a display.
os.environ.setdefault("MPLBACKEND", "agg")

project = "skcoldstart"
author = "The skcoldstart developers"
copyright = author
release = version = skcoldstart.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx-mathjax-offline",
    "sphinx.ext.viewcode",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_templates", "examples", "conftest.py"]
templates_path = ["_templates"]
default_role = "py:obj"
add_module_names = False
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}

autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_validation_checks: set[str] = set()
toc_object_entries_show_parents = "hide"

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "auto_examples/backreferences",
    "doc_module": ("skcoldstart",),
    "reference_url": {"skcoldstart": None},
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "capture_repr": ("_repr_html_",),
    "plot_gallery": True,
    "abort_on_example_error": False,
    "only_warn_on_example_error": True,
    "matplotlib_animations": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skcoldstart {release}"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["skcoldstart.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {
        "text": f"skcoldstart {release}",
        "image_light": "_static/logo.svg",
        "image_dark": "_static/logo.svg",
    },
    "navbar_align": "left",
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {
    "index": [],
    "quickstart": [],
    "comparison": [],
    "faq": [],
    "glossary": [],
    "whats_new": [],
}


def skip_members_of_others(app, what, name, obj, skip, options):
    """Leave out what scikit-learn gives to every estimator."""
    function = obj.fget if isinstance(obj, property) else inspect.unwrap(obj)
    home = getattr(function, "__module__", None) or "skcoldstart"
    return True if not home.startswith("skcoldstart") else None


def unlink_addresses(app, doctree):
    """Leave mAP@500 a word: docutils takes it for an address."""
    for link in list(doctree.findall(nodes.reference)):
        if link.get("refuri", "").startswith("mailto:"):
            link.replace_self(link.children)


def setup(app):
    """Connect the two filters above."""
    app.connect("autodoc-skip-member", skip_members_of_others)
    app.connect("doctree-read", unlink_addresses)
