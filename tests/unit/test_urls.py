"""The join rule, and what is refused as a base URL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankspec.errors import RequestInvalid
from rankspec.urls import check_base, has_dot_segment, join_url

V2 = "/v2/rerank"

JOINS = [
    ("bare host", "https://h.example", V2, "https://h.example/v2/rerank"),
    ("trailing slash", "https://h.example/", V2, "https://h.example/v2/rerank"),
    ("several slashes", "https://h.example///", V2, "https://h.example/v2/rerank"),
    ("base ends in the version", "https://h.example/v2", V2, "https://h.example/v2/rerank"),
    ("base ends in the version and a slash", "https://h.example/v2/", V2, "https://h.example/v2/rerank"),
    ("base is the full path", "https://h.example/v2/rerank", V2, "https://h.example/v2/rerank"),
    ("base is the full path and a slash", "https://h.example/v2/rerank/", V2, "https://h.example/v2/rerank"),
    ("another version wins", "https://h.example/v1", V2, "https://h.example/v1/rerank"),
    ("a beta version wins", "https://h.example/v1beta2", V2, "https://h.example/v1beta2/rerank"),
    ("another version in the full path", "https://h.example/v1/rerank", V2, "https://h.example/v1/rerank"),
    ("a prefix stays", "https://h.example/proxy/cohere", V2, "https://h.example/proxy/cohere/v2/rerank"),
    ("a prefix before the version", "https://h.example/proxy/v2", V2, "https://h.example/proxy/v2/rerank"),
    ("a prefix before another version", "https://h.example/proxy/v9", V2, "https://h.example/proxy/v9/rerank"),
    ("a prefix before the full path", "https://h.example/p/v2/rerank", V2, "https://h.example/p/v2/rerank"),
    ("doubled slashes in a prefix", "https://h.example//p//v2//", V2, "https://h.example/p/v2/rerank"),
    ("a whole address with a path of its own", "https://h.example/api/rerank", V2, "https://h.example/api/rerank"),
    ("part of a long path", "https://h.example/a/b", "/a/b/c/d", "https://h.example/a/b/c/d"),
    ("the path's first part only", "https://h.example/a", "/a/b/c/d", "https://h.example/a/b/c/d"),
    ("a prefix and part of a path", "https://h.example/x/a/b", "/a/b/c/d", "https://h.example/x/a/b/c/d"),
    ("a version inside a shared part", "https://h.example/o/c/v1", "/o/c/v2/rerank", "https://h.example/o/c/v1/rerank"),
    ("a path of one part", "https://h.example", "/rerank", "https://h.example/rerank"),
    ("a path of one part that is there", "https://h.example/rerank", "/rerank", "https://h.example/rerank"),
    ("a path that is only a version", "https://h.example/v3", "/v1", "https://h.example/v3"),
    ("an empty path", "https://h.example", "/", "https://h.example/"),
    ("a path without its first slash", "https://h.example", "v2/rerank", "https://h.example/v2/rerank"),
    ("a path that ends in a slash", "https://h.example", "/v2/rerank/", "https://h.example/v2/rerank/"),
    (
        "a path that ends in a slash is there",
        "https://h.example/v2/rerank/",
        "/v2/rerank/",
        "https://h.example/v2/rerank/",
    ),
    ("a port", "https://h.example:8443/v2", V2, "https://h.example:8443/v2/rerank"),
    ("an IPv6 host", "http://[::1]:8080/v2/", V2, "http://[::1]:8080/v2/rerank"),
    ("a query", "https://h.example/v2?key=1", V2, "https://h.example/v2/rerank?key=1"),
    ("a query after the full path", "https://h.example/v2/rerank?a=1&b=", V2, "https://h.example/v2/rerank?a=1&b="),
    ("an empty query", "https://h.example?", V2, "https://h.example/v2/rerank"),
    ("another scheme of ours", "local://bm25", "/rerank", "local://bm25/rerank"),
    ("an encoded slash is no slash", "https://h.example/a%2Fb", "/b/c", "https://h.example/a%2Fb/b/c"),
    ("a word that begins like the version", "https://h.example/v2x", V2, "https://h.example/v2x/v2/rerank"),
]


@pytest.mark.parametrize(("base", "path", "url"), [pytest.param(*case[1:], id=case[0]) for case in JOINS])
def test_a_base_and_a_path_become_one_url(base: str, path: str, url: str) -> None:
    assert join_url(base, path, {}) == url


QUERIES = [
    ("added", "https://h.example", {"version": "2024-05-31"}, "https://h.example/r?version=2024-05-31"),
    ("after the base's", "https://h.example?a=1", {"b": "2"}, "https://h.example/r?a=1&b=2"),
    ("not where the base has it", "https://h.example?a=1", {"a": "2"}, "https://h.example/r?a=1"),
    ("not where the base has it empty", "https://h.example?a=", {"a": "2"}, "https://h.example/r?a="),
    (
        "not where the base has it encoded",
        "https://h.example?api%2Dversion=1",
        {"api-version": "2"},
        "https://h.example/r?api%2Dversion=1",
    ),
    ("percent-encoded", "https://h.example", {"a b": "c&d=e/f+g"}, "https://h.example/r?a%20b=c%26d%3De%2Ff%2Bg"),
    ("beyond ASCII", "https://h.example", {"q": "ü"}, "https://h.example/r?q=%C3%BC"),
]


@pytest.mark.parametrize(("base", "query", "url"), [pytest.param(*case[1:], id=case[0]) for case in QUERIES])
def test_the_specs_query_parameters_are(base: str, query: dict[str, str], url: str) -> None:
    assert join_url(base, "/r", query) == url


words = st.sampled_from(["rerank", "api", "inference", "models", "a", "b", "v1", "v2", "v1beta", "org%2Fm"])
paths = st.lists(words, min_size=1, max_size=5).map(lambda segments: "/" + "/".join(segments))
prefixes = st.lists(words, max_size=4).map(lambda segments: "".join(f"/{segment}" for segment in segments))


@given(prefixes, paths, st.sampled_from(["", "/"]))
def test_a_joined_url_as_base_changes_nothing(prefix: str, path: str, end: str) -> None:
    once = join_url(f"https://h.example{prefix}", path, {"api-version": "1"})
    head, _, query = once.partition("?")
    assert join_url(f"{head}{end}?{query}", path, {"api-version": "1"}) == once


@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=6, unique=True),
    st.lists(st.sampled_from("pqrstu"), max_size=3),
    st.data(),
)
def test_however_much_of_the_path_a_base_has_nothing_is_doubled(
    segments: list[str], prefix: list[str], data: st.DataObject
) -> None:
    version = data.draw(st.integers(0, len(segments)))
    segments = [*segments[:version], "v1", *segments[version:]]
    cut = data.draw(st.integers(0, len(segments)))
    base = "https://h.example/" + "/".join([*prefix, *segments[:cut]])
    assert join_url(base, "/" + "/".join(segments), {}) == "https://h.example/" + "/".join([*prefix, *segments])


GOOD = [
    ("with its scheme", "https://api.example", "https://api.example"),
    ("with a plain scheme", "http://api.example", "http://api.example"),
    ("with a scheme in capitals", "HTTPS://api.example/v1", "https://api.example/v1"),
    ("without a scheme", "api.example", "https://api.example"),
    ("without a scheme, with port and path", "api.example:8443/v1", "https://api.example:8443/v1"),
    ("localhost", "localhost", "http://localhost"),
    ("localhost with a port", "localhost:8080", "http://localhost:8080"),
    ("localhost with port and path", "localhost:8080/v1", "http://localhost:8080/v1"),
    ("localhost with a query", "localhost?a=1", "http://localhost?a=1"),
    ("localhost in capitals", "LocalHost:8080", "http://LocalHost:8080"),
    ("127.0.0.1", "127.0.0.1:7997", "http://127.0.0.1:7997"),
    ("another loopback address", "127.0.1.1", "http://127.0.1.1"),
    ("loopback in IPv6", "[::1]:8080/x", "http://[::1]:8080/x"),
    ("no loopback, only its beginning", "127.0.0.1.example", "https://127.0.0.1.example"),
    ("no localhost, only its beginning", "localhost.example", "https://localhost.example"),
    ("IPv6", "https://[2001:db8::1]:8443/v1", "https://[2001:db8::1]:8443/v1"),
    ("IPv6 without a scheme", "[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ("spaces around it", "  https://api.example \n", "https://api.example"),
    ("a query", "https://api.example/v1?a=1&b=2", "https://api.example/v1?a=1&b=2"),
    ("a fragment, which is never sent", "https://api.example/v1#top", "https://api.example/v1"),
    ("an at sign in the path", "https://api.example/@me", "https://api.example/@me"),
    ("a colon in the path", "https://api.example/a:b", "https://api.example/a:b"),
]


@pytest.mark.parametrize(("base", "checked"), [pytest.param(*case[1:], id=case[0]) for case in GOOD])
def test_a_base_url_may_be_written(base: str, checked: str) -> None:
    assert check_base(base) == checked


CHARACTER = "holds a character that no URL holds"
NO_HOST = "names no host"
BAD = [
    ("a user name", "https://user@api.example", "must not hold a user name or password; give the key as api_key"),
    ("a password", "https://u:p@api.example", "must not hold a user name or password; give the key as api_key"),
    ("a user without a scheme", "u:p@api.example", "must not hold a user name or password; give the key as api_key"),
    ("ftp", "ftp://api.example", "must start with http:// or https://, not ftp://"),
    ("file", "file:///etc/passwd", "must start with http:// or https://, not file://"),
    ("local", "local://bm25", "must start with http:// or https://, not local://"),
    ("a space", "https://api.example/a b", CHARACTER),
    ("a space in the host", "https://api example", CHARACTER),
    ("a line break", "https://api.example/\nx", CHARACTER),
    ("a carriage return", "https://api.example\r\nX-Evil: 1", CHARACTER),
    ("a tab", "https://api.exa\tmple", CHARACTER),
    ("NUL", "https://api.example/\0", CHARACTER),
    ("DEL", "https://api.example/\x7f", CHARACTER),
    ("a line separator", "https://api.example/\u2028x", CHARACTER),
    ("a zero-width space", "https://api.exa\u200bmple", CHARACTER),
    ("half a surrogate pair", "https://api.example/\ud800", CHARACTER),
    ("a backslash", "https://api.example\\@evil.example", CHARACTER),
    ("a quote", 'https://api.example/"', CHARACTER),
    ("a placeholder left in", "https://{resource}.example", CHARACTER),
    ("angle brackets", "https://<resource>.example", CHARACTER),
    ("no host", "https://", NO_HOST),
    ("no host but a path", "https:///v1", NO_HOST),
    ("no host but a port", "https://:8080", NO_HOST),
    ("no host but a query", "https://?a=1", NO_HOST),
    ("nothing", "", NO_HOST),
    ("only spaces", "  ", NO_HOST),
    ("a path", "/v1/rerank", NO_HOST),
    ("port 0", "https://api.example:0", NO_HOST),
    ("a port that is no number", "https://api.example:http", "is not a URL"),
    ("a port that is too large", "https://api.example:65536", "is not a URL"),
    ("a negative port", "https://api.example:-1", "is not a URL"),
    ("a port left out", "https://api.example:", "is not a URL"),
    ("a scheme with one slash", "http:/api.example", "is not a URL"),
    ("a scheme without slashes", "http:api.example", "is not a URL"),
    ("an open bracket", "https://[::1", "is not a URL"),
    ("brackets around a name", "https://[api.example]", "is not a URL"),
    ("IPv6 without brackets", "https://::1", "is not a URL"),
    ("a character that reads as a slash", "https://api.example\u2100evil", "is not a URL"),
    ("a script", "javascript:alert(1)", "is not a URL"),
]


@pytest.mark.parametrize(("base", "message"), [pytest.param(*case[1:], id=case[0]) for case in BAD])
def test_a_base_url_is_refused_for(base: str, message: str) -> None:
    with pytest.raises(RequestInvalid) as caught:
        check_base(base)
    assert str(caught.value) == f"invalid request: api_base: {message}"


@given(st.text(max_size=40) | st.text(alphabet="htps:/[]@.?#%1a \\", max_size=20).map(lambda text: f"https://{text}"))
def test_any_text_is_a_base_url_or_refused(text: str) -> None:
    try:
        checked = check_base(text)
    except RequestInvalid:
        return
    assert checked.startswith(("http://", "https://"))
    assert check_base(checked) == checked
    assert join_url(checked, "/v1/rerank", {}).startswith(("http://", "https://"))


DOTS = [
    ("/v1/rerank", False),
    ("/v1/../rerank", True),
    ("/v1/./rerank", True),
    ("..", True),
    ("/models/..", True),
    ("/models/..:rerank", False),
    ("/models/...", False),
    ("/models/a.b", False),
    ("/models/%252E%252E", False),
    ("/", False),
]


@pytest.mark.parametrize(("path", "leads_elsewhere"), DOTS)
def test_a_dot_segment_is_found(path: str, leads_elsewhere: bool) -> None:
    assert has_dot_segment(path) is leads_elsewhere
