"""The command line: arguments to calls, results to text or JSON, errors to exit codes.

Exit codes: 0 done, 1 the call failed or a spec is invalid, 2 wrong usage.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from rankspec.cli.providers_command import providers
from rankspec.cli.render_command import render
from rankspec.cli.rerank_command import rerank
from rankspec.errors import (
    CredentialMissing,
    ExtraMissing,
    RankspecError,
    RequestInvalid,
    SettingMissing,
    SpecNotFound,
)
from rankspec.version import __version__

_WRONG_USAGE = (SpecNotFound, RequestInvalid, CredentialMissing, SettingMissing, ExtraMissing)


class _Commands(click.Group):
    """Tells our errors as one sentence and an exit code, never as a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RankspecError as error:
            wants_json = bool(ctx.obj and ctx.obj.get("output") == "json")
            click.echo(_as_json(error) if wants_json else f"rankspec: {error}", err=True)
            ctx.exit(2 if isinstance(error, _WRONG_USAGE) else 1)
        except BrokenPipeError:
            # The reader of our output has gone, as `| head` does.
            sys.stderr.close()
            ctx.exit(1)


def _as_json(error: RankspecError) -> str:
    told = {name: value for name, value in vars(error).items() if value not in (None, "", ()) and name != "message"}
    return json.dumps({"error": type(error).__name__, "message": error.message, **told}, default=str)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="rankspec")
@click.pass_context
def main(ctx: click.Context) -> None:
    """Rerank documents with any provider, each described by one YAML file."""
    ctx.ensure_object(dict)


main.add_command(rerank)
main.add_command(render)
main.add_command(providers)
