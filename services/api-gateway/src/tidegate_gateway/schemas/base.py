"""What all models of the gateway share, and a page of them."""

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Source = Literal["redis", "postgres"]
Item = TypeVar("Item", bound=BaseModel)


class Model(BaseModel):
    """A model that does not change."""

    model_config = ConfigDict(frozen=True)


class Page(Model, Generic[Item]):
    """Some items in order, and where the next page begins.

    next : pass it as `after`; null on the last page.
    """

    run_id: str | None = Field(examples=["20230201-a1b2"])
    items: list[Item]
    next: str | None = Field(examples=["12.A1.0"])


def json_of(model: BaseModel) -> bytes:
    """Return a model's JSON, which is what FastAPI makes of it, in a tenth of the time."""
    return model.__pydantic_serializer__.to_json(model)
