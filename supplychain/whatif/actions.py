"""The actions that a scenario may take: one model per word of the design, checked key by key."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from supplychain.facts.countries import is_country
from supplychain.facts.tomlfile import seen
from supplychain.regimes.flows import UNION


def _day(value: Any) -> Any:
    text = value.isoformat() if isinstance(value, date) and not isinstance(value, datetime) else value
    if isinstance(text, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        if "1800" <= text[:4] <= "2200":
            return value
        raise ValueError("a day lies between 1800 and 2200")
    raise ValueError("a day is written YYYY-MM-DD, such as 2026-11-10")


def _state(value: Any) -> Any:
    if not (isinstance(value, str) and (is_country(value) or value == UNION)):
        raise ValueError(f"{value!r} is not a country code of three letters, such as KOR (EUU is the European Union)")
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a number is wanted here")
    return value


Day = Annotated[date, BeforeValidator(_day)]
State = Annotated[str, BeforeValidator(_state)]
Name = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(seen)]
Names = tuple[Name, ...]
Some = Annotated[tuple[Name, ...], Field(min_length=1)]
States = Annotated[tuple[State, ...], Field(min_length=1)]
Part = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1)]
Factor = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1000, allow_inf_nan=False)]
Positive = Annotated[float, BeforeValidator(_number), Field(gt=0, le=1000, allow_inf_nan=False)]
Months = Annotated[float, BeforeValidator(_number), Field(ge=0, le=1200, allow_inf_nan=False)]
Days = Annotated[float, BeforeValidator(_number), Field(ge=0, le=36_500, allow_inf_nan=False)]
Policy = Literal["presumption-of-approval", "case-by-case", "presumption-of-denial", "embargo", "notification"]


class Action(BaseModel):
    """What every action has. ``start`` is written ``from``; without it the action holds from the case's day."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)
    order: ClassVar[int]  # place in the canonical order in which actions are applied

    do: str
    start: Day | None = Field(default=None, alias="from")
    note: str = ""

    @property
    def claims(self) -> tuple[tuple[str, ...], ...]:
        """What the action alone may settle: two different actions with one claim contradict each other."""
        return ()

    @property
    def words(self) -> str:
        """The action in one line, canonical: equal actions have equal words."""
        values = self.model_dump(by_alias=True, exclude={"do", "note"}, exclude_defaults=True, mode="json")
        told = (f"{key}={','.join(map(str, v)) if isinstance(v, list) else v}" for key, v in sorted(values.items()))
        return " ".join([self.do, *told])


class _Period(Action):
    end: Day | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start is not None and self.end is not None and self.end < self.start:
            raise ValueError("to lies before from")
        return self


class _Controls(Action):
    """Controls named one by one, or all of a regime; ``imposing`` narrows a regime's to some states."""

    controls: Names = ()
    regimes: Names = ()
    imposing: tuple[State, ...] = ()

    @model_validator(mode="after")
    def _named(self) -> Self:
        if not (self.controls or self.regimes):
            raise ValueError("name controls or regimes")
        return self


class _Supply(Action):
    """A choice of supplies: all lists that are given must match, each by any of its names."""

    supplies: Names = ()
    organisations: Names = ()
    items: Names = ()
    sites: tuple[State, ...] = ()

    @model_validator(mode="after")
    def _chosen(self) -> Self:
        if not (self.supplies or self.organisations or self.items or self.sites):
            raise ValueError("choose supplies, organisations, items or sites")
        return self


class Join(Action):
    """States join a regime. ``lists``: each adopts the regime's list, with its policies, as law of its own.
    ``eligible``: each is written into the regime's table, so that the others' controls need no licence towards it."""

    order = 0
    do: Literal["join"]
    regime: Name
    states: States
    lists: bool = True
    eligible: bool = True

    @property
    def claims(self) -> tuple[tuple[str, ...], ...]:
        return tuple(("join", self.regime, state) for state in self.states)


class Leave(Action):
    """States leave a regime: their eligibility ends, and with it the controls (or regimes of their own) in
    ``lifts``."""

    order = 3
    do: Literal["leave"]
    regime: Name
    states: States
    lifts: Names = ()

    @property
    def claims(self) -> tuple[tuple[str, ...], ...]:
        return tuple(("leave", self.regime, state) for state in self.states)


class Impose(_Period):
    """A state controls ``codes`` (LIST:CODE), or ``items`` of the network, towards a destination scope."""

    order = 1
    do: Literal["impose"]
    control: Name
    imposing: State
    codes: Names = ()
    items: Names = ()
    destination: Name = "worldwide"
    policy: Policy
    reach: Name = "none"
    regime: str = ""

    @model_validator(mode="after")
    def _aimed(self) -> Self:
        if bool(self.codes) == bool(self.items):
            raise ValueError("give either codes or items")
        return self

    @property
    def claims(self) -> tuple[tuple[str, ...], ...]:
        return (("control", self.control),)


class Except(_Period):
    """An exception lifts the licence that controls ask for, towards a destination scope."""

    order = 2
    do: Literal["except"]
    name: Name
    controls: Names = ()
    regime: str = ""
    codes: Names = ()
    destination: Name
    exporter: str = ""

    @model_validator(mode="after")
    def _aimed(self) -> Self:
        if not (self.controls or self.regime):
            raise ValueError("name the controls or the regime that the exception lifts")
        return self

    @property
    def claims(self) -> tuple[tuple[str, ...], ...]:
        return (("exception", self.name),)


class Lift(_Controls):
    """Controls end."""

    order = 4
    do: Literal["lift"]


class Suspend(_Controls):
    """Controls are suspended, until ``to`` or without end."""

    order = 5
    do: Literal["suspend"]
    end: Day | None = Field(default=None, alias="to")

    @property
    def claims(self) -> tuple[tuple[str, ...], ...]:
        return tuple(("suspend", name) for name in (*self.controls, *self.regimes))


class Reinstate(_Controls):
    """A suspension of controls ends."""

    order = 6
    do: Literal["reinstate"]

    @property
    def claims(self) -> tuple[tuple[str, ...], ...]:
        return tuple(("reinstate", name) for name in (*self.controls, *self.regimes))


class Branch(Action):
    """A branch of the regime book comes about: its ``variant`` says when a suspension ends."""

    order = 7
    do: Literal["branch"]
    branch: Name
    variant: Literal["lapse", "short", "long"]

    @property
    def claims(self) -> tuple[tuple[str, ...], ...]:
        return (("branch", self.branch),)


class Outage(_Supply):
    """Supplies lose ``part`` of their output for ``months`` (without: for good), then recover over
    ``recover_months``."""

    order = 8
    do: Literal["outage"]
    part: Part = 1.0
    months: Months | None = None
    recover_months: Months = 0.0


class Capacity(_Supply):
    """Capacity times ``factor`` for good. Above 1 the makers' shares of the world's output grow; below 1 it is lost."""

    order = 9
    do: Literal["capacity"]
    factor: Factor


class Grow(Action):
    """A ramp of new capacity: ``add``, a fraction of today's world output, built evenly between ``from`` and
    ``until``."""

    order = 10
    do: Literal["grow"]
    item: Name
    state: State
    organisation: str = ""
    add: Factor
    until: Day | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.start is not None and self.until is not None and self.until < self.start:
            raise ValueError("until lies before from")
        return self

    @property
    def claims(self) -> tuple[tuple[str, ...], ...]:
        return (("grow", self.item, self.state, self.organisation),)


class Cost(_Supply):
    """Unit costs times ``factor``."""

    order = 11
    do: Literal["cost"]
    factor: Positive


class Demand(Action):
    """Demand times ``factor``: of some plants (or all plants of the buyer), or of the whole world for ``items``."""

    order = 12
    do: Literal["demand"]
    items: Names = ()
    plants: Names = ()
    world: bool = False
    factor: Positive

    @model_validator(mode="after")
    def _aimed(self) -> Self:
        if self.world and (self.plants or not self.items):
            raise ValueError("demand of the world is told by items, not by plants")
        return self


class Qualify(Action):
    """Second sources of ``items`` are qualified in ``months`` instead of what the items record (0: already)."""

    order = 13
    do: Literal["qualify"]
    items: Some
    months: Months

    @property
    def claims(self) -> tuple[tuple[str, ...], ...]:
        return tuple(("qualify", item) for item in self.items)


class Stock(Action):
    """The buyer's plants (or some) hold ``days`` of stock of ``items`` (without items: of all), or ``factor`` times
    as much."""

    order = 14
    do: Literal["stock"]
    items: Names = ()
    plants: Names = ()
    days: Days | None = None
    factor: Factor | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.days is None) == (self.factor is None):
            raise ValueError("give either days or factor")
        return self

    @property
    def claims(self) -> tuple[tuple[str, ...], ...]:
        return tuple(("stock", plant, item) for plant in self.plants or ("*",) for item in self.items or ("*",))


class Delay(Action):
    """The time that licences take, times ``factor`` plus ``add_days``: everywhere, or for flows of ``items`` between
    ``origins`` and ``destinations`` (states, or groups of the regime book)."""

    order = 15
    do: Literal["delay"]
    items: Names = ()
    origins: Names = ()
    destinations: Names = ()
    factor: Factor = 1.0
    add_days: Days = 0.0


AnyAction = Annotated[
    Join | Leave | Impose | Except | Lift | Suspend | Reinstate | Branch
    | Outage | Capacity | Grow | Cost | Demand | Qualify | Stock | Delay,
    Field(discriminator="do"),
]  # fmt: skip
MODELS: Final[dict[str, type[Action]]] = {
    model.model_fields["do"].annotation.__args__[0]: model  # type: ignore[union-attr]
    for model in (
        Join, Leave, Impose, Except, Lift, Suspend, Reinstate, Branch,
        Outage, Capacity, Grow, Cost, Demand, Qualify, Stock, Delay,
    )
}  # fmt: skip
LEGAL: Final = frozenset({"join", "leave", "impose", "except", "lift", "suspend", "reinstate", "branch"})
