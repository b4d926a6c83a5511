"""Schemas as Python's libraries emit them: pydantic, OpenAI's client and Agents SDK, servers of MCP.

    pip install pydantic openai-agents "mcp>=2" && python tests/schemas/generate.py > tests/schemas/python.jsonl
"""

import asyncio
import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, Optional, Union
from uuid import UUID

from agents import function_tool
from mcp.server.mcpserver import MCPServer
from openai import pydantic_function_tool
from openai.lib._pydantic import to_strict_json_schema
from pydantic import AnyUrl, BaseModel, ConfigDict, EmailStr, Field, IPvAnyAddress, NonNegativeInt, TypeAdapter


class Priority(str, Enum):
    low = "low"
    normal = "normal"
    urgent = "urgent"


class Stars(int, Enum):
    one = 1
    two = 2
    three = 3


class Address(BaseModel):
    """Where a person lives."""

    street: str
    house_number: int = Field(ge=1, le=9999)
    postal_code: str = Field(pattern=r"^\d{3}-\d{4}$")
    city: str = Field(min_length=1, max_length=60, examples=["Sapporo"])
    country: Literal["JP", "DE", "BR"] = "JP"


class Person(BaseModel):
    id: UUID
    given_name: str
    family_name: Optional[str] = None
    born: date
    address: Address
    other_addresses: list[Address] = []
    homepage: Optional[AnyUrl] = None


class Strict(Person):
    model_config = ConfigDict(extra="forbid")


class Ticket(BaseModel):
    title: str = Field(max_length=120)
    priority: Priority = Priority.normal
    tags: list[str] = Field(default_factory=list, max_length=8)
    due: Optional[datetime] = None
    estimate: Optional[timedelta] = None
    watchers: set[int] = Field(default_factory=set, max_length=1)


class Step(BaseModel):
    explanation: str
    output: str


class Solution(BaseModel):
    steps: list[Step]
    final_answer: str


class Node(BaseModel):
    value: int
    children: list["Node"] = []


class Left(BaseModel):
    kind: Literal["left"]
    amount: float = Field(gt=0)


class Right(BaseModel):
    kind: Literal["right"]
    reason: str


class Choice(BaseModel):
    move: Annotated[Union[Left, Right], Field(discriminator="kind")]
    fallback: Union[Left, Right, None] = None


class Invoice(BaseModel):
    number: str = Field(pattern=r"^INV-[0-9]{6}$")
    issued: date
    lines: list["Line"] = Field(min_length=1)
    total: Decimal = Field(ge=0, max_digits=10, decimal_places=2)
    currency: Literal["EUR", "JPY", "USD"]


class Line(BaseModel):
    text: str
    count: NonNegativeInt
    price: float
    tax: Annotated[float, Field(ge=0, le=1, multiple_of=0.01)] = 0.19


class Reading(BaseModel):
    sensor: str = Field(alias="sensorId")
    at: datetime
    values: dict[str, float]
    position: tuple[float, float]
    quality: Stars
    raw: Any = None
    window: tuple[time, time] | None = None


class Settings(BaseModel):
    model_config = ConfigDict(title="All settings", extra="allow")
    retries: Annotated[int, Field(gt=0, lt=10)] = 3
    hosts: list[IPvAnyAddress] = []
    limits: dict[Literal["cpu", "memory"], int] = {}
    flags: dict[str, bool] = {}
    nested: dict[str, dict[str, list[int]]] = {}


class Contact(BaseModel):
    email: Annotated[str, Field(json_schema_extra={"format": "email"})]
    phone: str | None = Field(default=None, pattern=r"^\+?[0-9 ]{6,20}$")


class Search(BaseModel):
    """What to look for."""

    query: str
    filters: list[Union["Equals", "Between"]]
    order: Literal["newest", "oldest"] | None
    page: int = Field(1, ge=1)


class Equals(BaseModel):
    field: str
    value: Union[str, int, float, bool, None]


class Between(BaseModel):
    field: str
    low: float
    high: float


MODELS = [Address, Person, Strict, Ticket, Step, Solution, Node, Choice, Invoice, Reading, Settings, Contact, Search]


@function_tool
def get_weather(city: str, unit: Literal["celsius", "fahrenheit"] = "celsius") -> str:
    """Tells the weather.

    Args:
        city: Name of the city.
        unit: In which the temperature is told.
    """
    return ""


@function_tool
def book_table(guests: Annotated[int, Field(ge=1, le=12)], at: str, notes: Optional[str] = None) -> str:
    """Books a table."""
    return ""


@function_tool(strict_mode=False)
def note_anything(where: str, what: dict[str, Any]) -> str:
    """Keeps whatever it is given."""
    return ""


@function_tool
def send_invoice(invoice: Invoice, copies: list[str]) -> str:
    """Sends an invoice."""
    return ""


@function_tool
def no_arguments() -> str:
    """Needs nothing."""
    return ""


server = MCPServer("examples")


@server.tool()
def git_log(repository: str, most: int = 10, since: str | None = None) -> list[str]:
    """Lists commits."""
    return []


@server.tool()
def git_commit(repository: str, message: str) -> str:
    """Records what is staged."""
    return ""


@server.tool()
def convert_time(source: str, time: str, target: str) -> dict[str, str]:
    """Tells a time in another place."""
    return {}


@server.tool()
def fetch(
    url: Annotated[str, Field(description="What to read", min_length=1)],
    most_bytes: Annotated[int, Field(gt=0, lt=1_000_000)] = 5000,
    start: Annotated[int, Field(ge=0)] = 0,
    raw: bool = False,
) -> str:
    """Reads a page."""
    return ""


@server.tool()
def add_person(person: Person, tags: list[str] | None = None) -> Person:
    """Adds a person."""
    return person


@server.tool()
def list_readings(first: datetime, last: datetime, sensors: list[str] = []) -> list[Reading]:
    """Lists readings."""
    return []


def collect() -> list[dict]:
    found = []

    def add(source: str, name: str, schema: Any) -> None:
        found.append({"source": source, "name": name, "schema": schema})

    for model in MODELS:
        for mode in ("validation", "serialization"):
            add(f"pydantic {mode}", model.__name__, model.model_json_schema(mode=mode))
        try:
            add("openai strict", model.__name__, to_strict_json_schema(model))
            add("openai tool", model.__name__, pydantic_function_tool(model)["function"]["parameters"])
        except Exception:
            pass  # what its strict mode does not take
    for name, kind in {
        "list of people": list[Person],
        "names": dict[str, str],
        "several": Union[int, str, list[int]],
        "literal": Literal["yes", "no", 3, None],
        "optional": Optional[Ticket],
        "bounded": Annotated[list[Annotated[int, Field(ge=-5, le=5)]], Field(min_length=2, max_length=4)],
    }.items():
        add("pydantic adapter", name, TypeAdapter(kind).json_schema())
    for tool in (get_weather, book_table, note_anything, send_invoice, no_arguments):
        add("agents", tool.name, tool.params_json_schema)
    for tool in asyncio.run(server.list_tools()):
        add("mcp", tool.name, tool.input_schema)
        if tool.output_schema is not None:
            add("mcp output", tool.name, tool.output_schema)
    return found


if __name__ == "__main__":
    for sample in collect():
        print(json.dumps(sample, ensure_ascii=False, separators=(",", ":")))
