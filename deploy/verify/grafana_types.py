"""Read dashboards with Grafana's own types, and say what these do not know.

No Grafana runs in the tests. Its published types drop a field that they do not have and keep what
they have, so what comes back of a dashboard is what Grafana takes of it.

Usage: python deploy/verify/grafana_types.py DASHBOARD.json...
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def lost(said: object, taken: object, place: str) -> Iterator[str]:
    """Yield each field that was said and is another one, or none, in what was taken."""
    if isinstance(said, dict) and isinstance(taken, dict):
        for name, value in said.items():
            if value is not None or name in taken:
                yield from lost(value, taken.get(name), f"{place}.{name}")
    elif isinstance(said, list) and isinstance(taken, list) and len(said) == len(taken):
        for index, (value, other) in enumerate(zip(said, taken, strict=True)):
            yield from lost(value, other, f"{place}[{index}]")
    elif said != taken:
        yield f"{place}: {said!r} is taken as {taken!r}"


def main() -> int:
    """Print every field that is lost; return how many."""
    register_default_plugins()
    found: list[str] = []
    for name in sys.argv[1:]:
        said = json.loads(Path(name).read_text())
        taken = json.loads(json.dumps(Dashboard.from_json(said), cls=JSONEncoder))
        found += lost(said, taken, Path(name).stem)
    sys.stdout.writelines(f"{each}\n" for each in found)
    return min(1, len(found))


if __name__ == "__main__":
    sys.exit(main())
