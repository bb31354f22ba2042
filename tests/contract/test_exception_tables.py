"""No exception of a library is forgotten: each transport's table has them all."""

from __future__ import annotations

import builtins
import inspect
from types import ModuleType

import pytest
import requests.exceptions
import urllib3.exceptions
import wreq.exceptions

from rankspec.errors import RankspecError, TransportError
from rankspec.transports import native, requests_transport


def _exceptions(module: ModuleType) -> list[type[Exception]]:
    """The exception classes of a library's module, but for warnings and Python's own."""
    return [
        found
        for found in vars(module).values()
        if inspect.isclass(found)
        and issubclass(found, Exception)
        and not issubclass(found, Warning)
        and found not in vars(builtins).values()
        and found.__module__.partition(".")[0] == module.__name__.partition(".")[0]
    ]


def _translation(kind: type[Exception], table: dict[type[Exception], type[TransportError]]) -> type[TransportError]:
    return next(table[base] for base in kind.__mro__ if base in table)


def test_the_libraries_are_looked_into() -> None:
    assert requests.exceptions.ReadTimeout in _exceptions(requests.exceptions)
    assert urllib3.exceptions.ProtocolError in _exceptions(urllib3.exceptions)
    assert wreq.exceptions.ConnectionError in _exceptions(wreq.exceptions)


@pytest.mark.parametrize("kind", _exceptions(requests.exceptions), ids=lambda kind: kind.__name__)
def test_every_exception_of_requests_is_in_the_table(kind: type[Exception]) -> None:
    assert kind in requests_transport.ERRORS


@pytest.mark.parametrize("kind", _exceptions(urllib3.exceptions), ids=lambda kind: kind.__name__)
def test_every_exception_of_urllib3_is_covered(kind: type[Exception]) -> None:
    # requests hides most of them; those that come while the body is read do not pass through it.
    assert issubclass(_translation(kind, requests_transport.ERRORS), TransportError)
    is_timeout = issubclass(kind, urllib3.exceptions.ReadTimeoutError)
    assert (_translation(kind, requests_transport.ERRORS).__name__ == "TimedOut") == is_timeout


@pytest.mark.parametrize("kind", _exceptions(wreq.exceptions), ids=lambda kind: kind.__name__)
def test_every_exception_of_wreq_is_in_the_table(kind: type[Exception]) -> None:
    assert kind in native.ERRORS


@pytest.mark.parametrize("module", [requests_transport, native], ids=lambda module: module.__name__)
def test_the_tables_lead_to_our_errors_and_timeouts_to_timeouts(module: ModuleType) -> None:
    for kind, ours in module.ERRORS.items():
        assert issubclass(ours, TransportError)
        assert not issubclass(kind, RankspecError)
        if "Timeout" in kind.__name__:
            assert ours.__name__ == "TimedOut"


@pytest.mark.parametrize("module", [requests_transport, native], ids=lambda module: module.__name__)
def test_our_own_errors_are_not_translated_again(module: ModuleType) -> None:
    assert not issubclass(RankspecError, tuple(module.ERRORS))
