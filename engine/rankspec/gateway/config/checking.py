"""`rankspec check` for a config: what there is to say of it, in the form in which checks of specs tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rankspec.checks import Checked
from rankspec.disclosure import hide
from rankspec.gateway.config import examine_config
from rankspec.gateway.config.notes import secrets_in
from rankspec.strict_yaml import read_yaml


def check_config(text: str, file: str, environ: Mapping[str, str] | None, specs: Sequence[str] = ()) -> Checked:
    """Everything that is wrong with a config.

    Args:
        text: the file's content.
        file: its name, for findings; relative paths in it start at its folder.
        environ: environment variables by name, to warn of what is missing; None: nothing is looked for.
        specs: folders and files of specs besides those that the config names.
    """
    _, findings = examine_config(text, file, environ, specs=specs)
    read = read_yaml(text, file, aliases=True)
    return Checked(file, hide(text, secrets_in(read)), tuple(findings), read=read)
