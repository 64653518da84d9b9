"""Pages of other sites: those that the settings name may use the server, and no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from msgmodel.errors import ConfigurationError
from msgmodel.server import create_app
from msgmodel.server.settings import Settings
from msgmodel.testing import ScriptedProvider
from serving import Uvicorn, request

TOKEN = "a-token-of-this-test"
ALLOWED = ("https://chat.example.com", "app://obsidian.md", "http://localhost:5173")
AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


@pytest.fixture(scope="module")
def server() -> Iterator[Uvicorn]:
    with Uvicorn(create_app(Settings(tokens=(TOKEN,), origins=ALLOWED))) as running:
        yield running


@pytest.mark.parametrize("origin", [*ALLOWED, "HTTPS://Chat.Example.com"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", None])
def test_an_allowed_page(origin: str, site: str | None, server: Uvicorn, scripted_provider: ScriptedProvider) -> None:
    headers = AUTHORIZED | {"origin": origin} | ({"sec-fetch-site": site} if site else {})
    answer = request("POST", f"{server.url}/v1/panels", headers=headers, json={"prompt": "hi"})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "access-control-allow-credentials" not in answer.headers
    assert "x-stream-id" in answer.headers["access-control-expose-headers"]
    assert answer.headers["vary"] == "origin"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


def test_an_allowed_page_reads_why_it_is_refused(server: Uvicorn) -> None:
    answer = request("GET", f"{server.url}/v1/providers", headers={"origin": ALLOWED[0]})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, ALLOWED[0])


def test_a_preflight(server: Uvicorn) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, x-stainless-os"}
    answer = request("OPTIONS", f"{server.url}/v1/chat/completions", headers=asked | {"origin": ALLOWED[1]})
    assert answer.status_code == 204
    found = {name: value for name, value in answer.headers.items() if name.startswith("access-control")}
    assert found == {
        "access-control-allow-origin": ALLOWED[1],
        "access-control-allow-methods": "GET, POST, DELETE",
        "access-control-allow-headers": "authorization, x-stainless-os",
        "access-control-expose-headers": found["access-control-expose-headers"],
        "access-control-max-age": "600",
    }


def test_a_preflight_from_a_public_page_to_this_machine(server: Uvicorn) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-private-network": "true"}
    answer = request("OPTIONS", f"{server.url}/v1/panels", headers=asked | {"origin": ALLOWED[0]})
    assert answer.headers["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://chat.example.com",
        "https://chat.example.com.evil.example",
        "https://chat.example.com:8443",
        "https://sub.chat.example.com",
        "https://chat.example.com/",
        "app://obsidian.md.evil",
        "null",
        "*",
    ],
)
@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_other_pages(origin: str, method: str, server: Uvicorn) -> None:
    headers = AUTHORIZED | {"origin": origin, "access-control-request-method": "POST"}
    answer = request(method, f"{server.url}/v1/panels", headers=headers, json={"prompt": "hi"})
    assert answer.status_code == 403
    assert "--allow-origin" in answer.json()["error"]["message"]
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_without_allowed_origins_a_development_proxy_works(scripted_provider: ScriptedProvider) -> None:
    """It sends the browser's own Sec-Fetch-Site along, and its Origin is not the Host."""
    with Uvicorn(create_app()) as plain:
        headers = {"origin": "http://localhost:5173", "sec-fetch-site": "same-origin"}
        answer = request("POST", f"{plain.url}/v1/panels", headers=headers, json={"prompt": "hi"})
        assert answer.status_code == 200
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "https://*.example.com", "chat.example.com", "https://a.test/b", "", "x:"],
)
def test_what_is_no_origin(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="in origins must be a scheme, a host"):
        Settings(origins=(origin,))
