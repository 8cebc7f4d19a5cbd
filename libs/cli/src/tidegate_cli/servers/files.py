"""Files that hold a secret."""

import os
from pathlib import Path


def write_secret(path: Path, text: str) -> None:
    """Replace a file by one that only its owner can read, from its first byte on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
