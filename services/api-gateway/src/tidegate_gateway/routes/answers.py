"""Answers as bytes: what a model says, said once.

FastAPI checks what a route returns against its model and renders that in Python again; a model
that was just made needs neither, and hot routes have no time for it. `response_model` of the route
is for the document.
"""

from fastapi import Response
from pydantic import BaseModel

from tidegate_gateway.schemas.base import json_of


def answer(model: BaseModel) -> Response:
    """Return the answer that says what a model does."""
    return json_answer(json_of(model))


def json_answer(text: bytes) -> Response:
    """Return the answer of a text that is JSON already."""
    return Response(text, media_type="application/json")
