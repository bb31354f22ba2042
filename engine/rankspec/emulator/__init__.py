"""A spec's own provider, emulated on loopback for tests: it checks what it receives and answers in its own shape."""

from rankspec.emulator.faults import Fault, Faults
from rankspec.emulator.provider import DEFAULT_KEY, EmulatedProvider, Outcome, is_in_process
from rankspec.emulator.server import Served, serve

__all__ = ["DEFAULT_KEY", "EmulatedProvider", "Fault", "Faults", "Outcome", "Served", "is_in_process", "serve"]
