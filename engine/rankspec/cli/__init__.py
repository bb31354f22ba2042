"""The command line: arguments to calls, results to text or JSON, errors to exit codes.

Exit codes: 0 done, 1 the call failed or a spec is invalid, 2 wrong usage.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import click

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


COMMANDS = {
    "rerank": "rerank_command:rerank",
    "render": "render_command:render",
    "explain": "explain_command:explain_command",
    "providers": "providers_command:providers",
    "new": "new_command:new",
    "check": "check_command:check",
    "emulate": "emulate_command:emulate",
    "serve": "serve_command:serve",
    "schema": "schema_command:schema",
    "migrate": "migrate_command:migrate",
}
"""Where each command is. One is imported when it is called: what rerank needs takes longer than a check."""


_OPTIONS_OF_SERVE = ("--config", "-c", "--host", "--port", "--num_workers")
"""What those who come from LiteLLM write without a command: rankspec --config FILE."""


class _Commands(click.Group):
    """Finds commands, and tells our errors as one sentence and an exit code, never as a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"rankspec.cli.{module}"), name)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0].partition("=")[0] in _OPTIONS_OF_SERVE:
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RankspecError as error:
            wants_json = bool(ctx.obj and ctx.obj.get("output") == "json")
            # Findings say where they are, one a line.
            text = str(error) if getattr(error, "findings", None) else f"rankspec: {error}"
            click.echo(_as_json(error) if wants_json else text, err=True)
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
