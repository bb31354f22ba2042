"""Compile templates, list the names they use, render them. Knows nothing of providers.

A JSON template is a tree whose text leaves may hold Jinja expressions. `reading` has them read by Jinja's parser and
checks them, `compiler` checks the tree, and `functions` makes one Python function of what is left, out of the `nodes`
of Python's own syntax; what it calls is in `values`. A value that is absent is None here, and undefined to Jinja: it
drops the key that it would have had.
"""

from rankspec.templates.compiled import Condition, JsonTemplate, TemplateFailed, TextTemplate, body_scope
from rankspec.templates.compiler import Compiler
from rankspec.templates.functions import Scope
from rankspec.templates.trees import expressions

__all__ = [
    "Compiler",
    "Condition",
    "JsonTemplate",
    "Scope",
    "TemplateFailed",
    "TextTemplate",
    "body_scope",
    "expressions",
]
