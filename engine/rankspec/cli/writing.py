"""Writes a result to a file, whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import click


def write_file(file: Path, content: bytes) -> None:
    """Put `content` in the file's place at once: a reader, or a crash, never sees half of it.

    A file that is there keeps its permissions, and a link keeps pointing at it.

    Raises:
        click.ClickException: it cannot be written.
    """
    target = Path(os.path.realpath(file))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        try:
            with temporary.open("xb") as stream:
                if target.exists():
                    temporary.chmod(target.stat().st_mode & 0o7777)
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}") from None
