"""`docs/asyncapi.yaml` is what the code says of its topics."""

from pathlib import Path

import yaml

from tidegate_cli.asyncapi import asyncapi_document
from tidegate_common.events.topics import TOPICS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "asyncapi.yaml"


def test_asyncapi_document_is_up_to_date() -> None:
    """Readers write clients against the file: run `tidegate asyncapi > docs/asyncapi.yaml`."""
    assert DOCUMENT.read_text() == asyncapi_document()


def test_asyncapi_document_names_every_topic_and_resolves() -> None:
    """Each channel's message is in the document."""
    document = yaml.safe_load(asyncapi_document())

    names = {name for topic in TOPICS for name in (topic.name, topic.dead_letters)}
    assert set(document["channels"]) == names
    for channel in document["channels"].values():
        for name in channel["messages"]:
            assert name in document["components"]["messages"]
