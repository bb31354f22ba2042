"""What is compared, each in an environment of its own below `.benchmarks`, and where to find its commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import venv
from functools import cache
from pathlib import Path

from outcomes import Missing, tell

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CACHE = ROOT / ".benchmarks"
INSTALL_SECONDS = 1800


def nowhere() -> str:
    """An empty folder for everything that is measured to work in: specs beside a process would be its own."""
    folder = CACHE / "nowhere"
    folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


def environ(**more: str) -> dict[str, str]:
    """The environment of everything that is measured.

    Without what would make every import a compile, and without keys, proxies and folders of this user's.
    """
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "XDG_CONFIG_HOME": str(CACHE / "config"), **more}


@cache
def rankspec_python() -> str:
    """The Python of an environment with this checkout as users install it: a wheel, compiled, without tests."""
    python = _environment("rankspec")
    _pip(python, "--upgrade", f"{ROOT}[async,gateway]")
    # The version may be that of an earlier build: the files have to be those of now.
    _pip(python, "--force-reinstall", "--no-deps", str(ROOT))
    return str(python)


def rankspec_command() -> str:
    """The command `rankspec` of that environment."""
    return str(Path(rankspec_python()).with_name("rankspec"))


@cache
def litellm_python() -> str:
    """The Python of an environment with LiteLLM's proxy, as its own documentation installs it.

    Raises:
        Missing: it cannot be installed.
    """
    python = _environment("litellm")
    if not python.with_name("litellm").exists():
        tell("installing litellm[proxy]")
        _pip(python, "litellm[proxy]")
    return str(python)


def litellm_command() -> str:
    """The command `litellm` of that environment.

    Raises:
        Missing: it cannot be installed.
    """
    return str(Path(litellm_python()).with_name("litellm"))


def _environment(name: str) -> Path:
    """The Python of a virtual environment, which is made if there is none."""
    folder = CACHE / name
    python = folder / "bin" / "python"
    if not python.exists():
        _cache_folder()
        venv.create(folder, with_pip=True)
    return python


def _cache_folder() -> Path:
    CACHE.mkdir(exist_ok=True)
    (CACHE / ".gitignore").write_text("*\n")
    return CACHE


def _pip(python: Path, *arguments: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    _run(command, " ".join(arguments))


def _run(command: list[str], what: str, folder: Path | None = None) -> str:
    try:
        # The whole environment here: the user's proxy and index are what can reach the packages.
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{what}: {error}") from None
    if done.returncode:
        raise Missing(f"{what}: {done.stderr.strip()[-500:]}")
    return done.stdout


@cache
def mock_upstream() -> str:
    """The provider in C, compiled.

    Raises:
        Missing: there is no gcc.
    """
    program = _cache_folder() / "mock_upstream"
    _run(["gcc", "-O2", "-o", str(program), str(HERE / "mock_upstream.c")], "the provider in C")
    return str(program)


@cache
def nginx() -> str:
    """Debian's nginx: the installed one, or else its package unpacked into the cache.

    Raises:
        Missing: it is not installed, and there is no package.
    """
    return _debian("nginx", "nginx")


@cache
def wrk() -> str:
    """Debian's wrk, in the same way.

    Raises:
        Missing: it is not installed, and there is no package.
    """
    return _debian("wrk", "wrk", "libluajit-5.1-2")


def _debian(program: str, *packages: str) -> str:
    places = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
    found = shutil.which(program, path=places)
    if found:
        return found
    folder = _cache_folder() / program
    unpacked = next((folder / part for part in (f"usr/sbin/{program}", f"usr/bin/{program}")
                     if (folder / part).exists()), None)  # fmt: skip
    if unpacked is None:
        tell(f"unpacking Debian's {program}")
        folder.mkdir(exist_ok=True)
        _run(["apt-get", "download", *packages], f"{program} is not installed", folder)
        for package in folder.glob("*.deb"):
            _run(["dpkg-deb", "-x", package.name, "."], f"{program} is not installed", folder)
        return _debian(program, *packages)
    return str(unpacked)


def library_path(program: str) -> dict[str, str]:
    """The environment that a program unpacked into the cache needs for libraries that came with it."""
    folder = CACHE / Path(program).name / "usr" / "lib"
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, folder.glob("*-linux-gnu")))} if folder.exists() else {}


def versions(python: str, *packages: str) -> str:
    """The versions of packages in an environment."""
    code = (
        "import sys; from importlib.metadata import version; "
        "print(', '.join(f'{name} {version(name)}' for name in sys.argv[1:]))"
    )
    return _run([python, "-c", code, *packages], "versions").strip()


def version_of(program: str, option: str) -> str:
    """The first line that a program says of its version."""
    done = subprocess.run(
        [program, option], capture_output=True, text=True, check=False, timeout=20, env=environ(**library_path(program))
    )
    return (done.stdout or done.stderr).splitlines()[0].strip() if done.stdout or done.stderr else "unknown"
