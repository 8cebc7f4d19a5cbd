"""The page of the API: whole on a host that reaches no other."""

import re

from tests.unit.gateway.desk import client_of, make_resources


async def test_docs_page_loads_nothing_from_elsewhere() -> None:
    """Program, styles and icon come from the gateway itself, below whatever path it has."""
    async with client_of(make_resources()) as client:
        page = await client.get("/docs")
        links = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        files = [await client.get(f"/{link}") for link in links]

    assert {link.rpartition("/")[0] for link in links} == {"docs/files"}
    assert len(links) == 3
    assert [file.status_code for file in files] == [200] * 3
    assert "'openapi.json'" in page.text
    assert "https:" not in page.headers["content-security-policy"]
