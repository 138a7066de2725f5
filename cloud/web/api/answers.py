"""Shapes that answers share."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Item = TypeVar("Item")


class Answer(BaseModel):
    """What the API says; made from rows by attribute."""

    model_config = ConfigDict(from_attributes=True)


class Page(Answer, Generic[Item]):
    """Some of a list. `next` goes into `before` (or `after`) of the next request; null: that was all."""

    items: list[Item]
    next: str | None = None


class Done(Answer):
    """It was done. `changed` is false when it had been done before."""

    changed: bool
    state: str
