"""Objects and tools, which the programs of several clients ask for."""

from typing import Literal

from common import QUESTION
from pydantic import BaseModel, Field

PEOPLE = "Anna is 31. As JSON:"
ASKED = [{"role": "user", "content": PEOPLE}]
QUESTIONS = [{"role": "user", "content": QUESTION}]


class Person(BaseModel):
    name: str = Field(max_length=12)
    age: int = Field(ge=0, le=150)
    tags: list[Literal["a", "b"]] = Field(max_length=2)


class Add(BaseModel):
    """Adds two numbers."""

    a: int = Field(ge=0, le=99)
    b: int = Field(ge=0, le=99)


def assert_person(value):
    assert isinstance(value, Person), f"no person: {value!r}"


def assert_sum(given):
    """Whether the arguments of a call fit."""
    Add.model_validate(given, strict=True)
