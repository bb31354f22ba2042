"""Requests' adapter without what it does again for every request, and with connections that can be ended."""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass
from functools import cache
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.util import Timeout

from rankspec.models import HttpRequest
from rankspec.transports.watchdog import watch_here

_MAX_ROADS = 256

_MOST_BYTES_AT_ONCE = 32 * 1024
"""Up to here a copy costs less than a second piece to send."""


@dataclass(frozen=True, slots=True)
class Road:
    """What requests makes of one address, found out once: it takes a fifth of the time of a small request."""

    url: Any
    target: str
    pool: Any


class Limit(Timeout):
    """The longest waits of one request. It serves no other, and need not be copied for each step of it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(connect=seconds, read=seconds)

    def clone(self) -> Limit:
        return self


class Prepared(requests.PreparedRequest):
    """One request as the adapter takes it."""

    def __init__(self, request: HttpRequest, road: Road) -> None:
        super().__init__()
        self.method = request.method
        self.url = road.url
        is_given = "accept-encoding" in map(str.lower, request.headers)
        own = {} if is_given else {"Accept-Encoding": "gzip, deflate"}
        # Any mapping does, and this one is cheaper to copy than requests' own.
        self.headers = {**own, **request.headers, "Content-Length": str(len(request.body))}  # type: ignore[assignment]
        self.body = request.body
        self.road = road


class Adapter(HTTPAdapter):
    """Requests' adapter without what it finds out again for every request, and with watched connections."""

    def __init__(self, **options: Any) -> None:
        self._roads: dict[tuple[str, str | None], Road] = {}
        super().__init__(**options)

    def road(self, address: str, proxies: dict[str, str] | None, verify: str | bool) -> Road:
        """Where requests for an address go."""
        key = address, select_proxy(address, proxies) if proxies else None
        known = self._roads.get(key)
        # Before 1.26.16 and 2.0.3 urllib3 closes a pool that it drops for another host's.
        if known is not None and known.pool.pool is not None:
            return known
        prepared = requests.PreparedRequest()
        prepared.prepare_url(address, None)
        pool = super().get_connection_with_tls_context(prepared, verify, proxies=proxies)
        super().cert_verify(pool, prepared.url, verify, None)  # type: ignore[no-untyped-call]
        found = Road(prepared.url, super().request_url(prepared, proxies), pool)
        if len(self._roads) >= _MAX_ROADS:
            self._roads.clear()
        self._roads[key] = found
        return found

    def get_connection_with_tls_context(self, request: Any, *_: Any, **__: Any) -> Any:
        return request.road.pool

    def cert_verify(self, *_: Any) -> None:
        """Done when the road was found."""

    def request_url(self, request: Any, _: Any) -> str:
        target: str = request.road.target
        return target

    def build_response(self, _: Any, resp: Any) -> Any:
        return resp  # What requests would add to it is of no use here.

    def close(self) -> None:
        super().close()
        self._roads.clear()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self._watch_pools(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **kwargs)
        self._watch_pools(manager)
        return manager

    def _watch_pools(self, manager: Any) -> None:
        pools = manager.pool_classes_by_scheme
        manager.pool_classes_by_scheme = {scheme: _watched(pool) for scheme, pool in pools.items()}


class _Watched:
    """What a connection does for the watch of the request that it serves."""

    sock: socket.socket | None
    _has_served = False
    _held: list[bytes] | None = None
    """What is sent of a request, head first, while the library puts it together."""

    def _new_conn(self) -> socket.socket:
        sock: socket.socket = super()._new_conn()  # type: ignore[misc]
        _attach(sock)  # A proxy's answer, which comes first, may be slow, too.
        return sock

    def _tunnel(self) -> None:
        super()._tunnel()  # type: ignore[misc]
        if watch_here().is_expired:
            raise TimeoutError  # A proxy's answer that was cut off here looks like one that has ended.

    def connect(self) -> None:
        self._has_served = False
        super().connect()  # type: ignore[misc]
        _attach(self.sock, is_connected=True)

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        watch = watch_here()
        _attach(self.sock, is_connected=self.sock is not None)
        watch.is_kept = self.sock is not None and self._has_served
        super().putrequest(method, url + watch.query, *args, **kwargs)  # type: ignore[misc]

    def request(self, *args: Any, **kwargs: Any) -> None:
        held = self._held = []
        try:
            super().request(*args, **kwargs)  # type: ignore[misc]
        finally:
            self._held = None
        for data in [b"".join(held)] if sum(map(len, held)) <= _MOST_BYTES_AT_ONCE else held:
            self.send(data)

    def send(self, data: Any) -> None:
        if self._held is None:
            super().send(data)  # type: ignore[misc]
        else:
            self._held.append(data)

    def getresponse(self) -> Any:
        response = super().getresponse()  # type: ignore[misc]
        self._has_served = True
        return response


class _WatchedReply(http.client.HTTPResponse):
    """A reply that tells the watch when it begins."""

    def begin(self) -> None:
        watch_here().has_begun = bool(self.fp.peek(1))
        super().begin()


def _attach(sock: socket.socket | None, *, is_connected: bool = False) -> None:
    watch = watch_here()
    watch.socket = sock
    watch.is_connected = is_connected
    if watch.is_expired:
        watch.expire()


@cache
def _watched(pool: type[HTTPConnectionPool]) -> type[HTTPConnectionPool]:
    """The same kind of pool, direct or through whatever proxy, with watched connections."""
    connection = pool.ConnectionCls
    if issubclass(connection, _Watched):
        return pool
    members = {"response_class": _WatchedReply}
    return type(pool.__name__, (pool,), {"ConnectionCls": type(connection.__name__, (_Watched, connection), members)})
