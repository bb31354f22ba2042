"""`rankspec serve`."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.option("-c", "--config", type=click.Path(), metavar="FILE",
              help="The config. Without one, every provider whose keys are set, and local.")  # fmt: skip
@click.option("--host", help="The address to listen on; the config's, or 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), help="The config's, or 4000; 0 takes a free one.")
@click.option("--uds", type=click.Path(), metavar="PATH", help="Listen on a Unix socket instead.")
@click.option("--fd", type=click.IntRange(0), help="Listen on this open file descriptor instead.")
@click.option("--reuse-port", is_flag=True, help="Share the port with another gateway, to replace it.")
@click.option("-w", "--workers", "--num_workers", "workers", type=click.IntRange(1, 256), default=1, show_default=True,
              help="How many processes answer.")  # fmt: skip
@click.option("--grace", "grace_seconds", type=click.IntRange(0), default=30, show_default=True,
              help="Seconds for requests that are under way when it is told to stop.")  # fmt: skip
@click.option("--head-timeout", "head_seconds", type=click.FloatRange(0, min_open=True), default=10, show_default=True,
              help="Seconds that the head of a request may take to arrive.")  # fmt: skip
@click.option("--keep-alive", "keep_alive_seconds", type=click.IntRange(0), default=75, show_default=True,
              help="Seconds that a connection without a request is kept.")  # fmt: skip
@click.option("--lenient", "is_lenient", is_flag=True,
              help="Leave out models that cannot work, such as those whose key is missing.")  # fmt: skip
@click.option("--log", "log_form", type=click.Choice(["auto", "json", "text"]), default="auto", show_default=True,
              help="The form of the log on standard error; auto is text on a terminal.")  # fmt: skip
def serve(**options: Any) -> None:
    """Serve a Cohere-compatible API in front of every provider.

    Clients of Cohere rerank through any provider when their base URL is the one that the log tells at the start. The
    config is a file for LiteLLM's proxy, or one of our own; it and its specs are read again when they change, and on
    SIGHUP. `rankspec --config FILE` is the same.
    """
    # The server takes longer to import than all other commands.
    from rankspec.gateway.serving.server import ServeOptions, run

    run(ServeOptions(**options))
