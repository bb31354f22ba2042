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
    "rerank": ("rerank_command:rerank", "Rank the documents in FILE by how well they answer QUERY."),
    "render": ("render_command:render", "Show the exact HTTP request of a call."),
    "explain": ("explain_command:explain_command", "Show what a spec makes of a call, step by step."),
    "providers": (
        "providers_command:providers",
        "List the providers, or show one in detail: settings, key variables and whether they are set, limits, scores.",
    ),
    "new": (
        "new_command:new",
        "Write a spec for the provider NAME: from a curl line, from another provider's spec, or to be filled in.",
    ),
    "check": (
        "check_command:check",
        "Check provider specs without a network: their form, their facts, their examples, and generated requests.",
    ),
    "emulate": ("emulate_command:emulate", "Serve a provider on this machine, made from its spec, for tests."),
    "serve": ("serve_command:serve", "Serve a Cohere-compatible API in front of every provider."),
    "schema": (
        "schema_command:schema",
        "Print a JSON Schema: provider_spec, rerank_request, rerank_response or gateway_config.",
    ),
    "migrate": (
        "migrate_command:migrate",
        "Bring spec files to the current version of the spec language, in place.",
    ),
}
"""Where each command is, and the first sentence of its help. A command is imported when it is called, and not to list
it: all of them take three times as long to import as requests."""


_OPTIONS_OF_SERVE = ("--config", "-c", "--host", "--port", "--num_workers")
"""What those who come from LiteLLM write without a command: rankspec --config FILE."""


class _Commands(click.Group):
    """Finds commands, and tells our errors as one sentence and an exit code, never as a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"rankspec.cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        room = formatter.width - 6 - max(map(len, COMMANDS))
        rows = [(name, click.Command(name, help=text).get_short_help_str(room)) for name, (_, text) in COMMANDS.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

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
