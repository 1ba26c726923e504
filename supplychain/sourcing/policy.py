"""Sourcing policies: declarative TOML files, checked key by key, saying what a buyer will and will not accept."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, Strict, ValidationError

from supplychain.errors import Problems, UsageError
from supplychain.facts.tomlfile import read_toml
from supplychain.locate import models

Truth = Annotated[bool, Strict()]
Fraction = Annotated[float, Strict(), Field(ge=0, le=1)]
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Threat = Literal["state", "supplier", "regime"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Horizon(_Part):
    """Length of the plan in months, its periods, and the month in which a refusal strikes (0 = at once).

    One period is a steady-state plan: lead and qualification times play no part in it. With several, a source delivers
    from the first period that begins after its qualification, lead time and licence, and the rules hold from the period
    that begins at or after `strikes_month`.
    """

    months: Positive = 12
    periods: Annotated[int, Strict(), Field(ge=1, le=120)] = 1
    strikes_month: NotNegative = 0


class Cost(_Part):
    """Weights of the cost terms; rates are fractions of the price of a unit (holding: per year; change: once, of a
    year's purchases that leave today's source).

    `unknown_margin` is the loss per unmet unit, as a multiple of its price, where the plants table gives no margin.
    """

    purchase: NotNegative = 1
    qualification: NotNegative = 1
    unmet: NotNegative = 1
    holding_rate: NotNegative = 0.1
    reservation_rate: NotNegative = 0.03
    licence_rate: NotNegative = 0
    change_rate: NotNegative = 0
    unknown_margin: NotNegative = 10


class Caps(_Part):
    """Largest share of a need from one supplier (organisation), site country, head-office jurisdiction, regime bloc.

    A regime's bloc is every line whose flow needs leave under a control of that regime on the case's date.
    """

    supplier: Annotated[float, Strict(), Field(gt=0, le=1)] = 1
    site: Annotated[float, Strict(), Field(gt=0, le=1)] = 1
    jurisdiction: Annotated[float, Strict(), Field(gt=0, le=1)] = 1
    regime: Fraction = 1
    regimes: dict[str, Fraction] = Field(default_factory=dict)


class Sources(_Part):
    """Fewest and most sources (supplies) of one need; one that counts towards the minimum serves at least
    `smallest_share`."""

    minimum: Annotated[int, Strict(), Field(ge=1)] = 1
    maximum: Annotated[int, Strict(), Field(ge=1)] | None = None
    smallest_share: Annotated[float, Strict(), Field(gt=0, le=1)] = 0.05


class Control(_Part):
    """Limits on what controls can reach: `controlled_maximum` is the largest share of a need that is not free.

    `noncontrolling_minimum` is the smallest share of a need whose flow is free or excepted, with certainty, on
    the date.
    """

    controlled_maximum: Fraction = 1
    noncontrolling_minimum: Fraction = 0


class Licences(_Part):
    """May the plan use a flow that needs a licence? An unknown (indeterminate) flow counts as needing one.

    `delay_days` and `probability` replace the determination's own assumptions when given. With `price_refusal` a unit
    bought on leave also costs the chance that leave is refused times the margin that is then lost.
    """

    mode: Literal["forbid", "allow"] = "allow"
    delay_days: NotNegative | None = None
    probability: Fraction | None = None
    price_refusal: Truth = False


class Secure(_Part):
    """N-1 security: after any single refusal at most `gap` of each need stays unmet in any period.

    `refusal` says what a state or regime refuses: the leave it can refuse on the date (at-leave) or all its
    supply (all).
    """

    against: tuple[Threat, ...] = ()
    gap: Fraction = 0
    refusal: Literal["at-leave", "all"] = "at-leave"


class Budget(_Part):
    """Largest total cost, absolute or as a multiple of buying as today; largest qualification cost and number."""

    total: NotNegative | None = None
    relative_to_today: Positive | None = None
    qualification: NotNegative | None = None
    qualifications_maximum: Annotated[int, Strict(), Field(ge=0)] | None = None


class Scenarios(_Part):
    """Refusals with a probability over the horizon: each state, supplier, regime, and named ones by threat name.

    `baseline`, when given, is the probability that nothing happens; all probabilities then must sum to 1.
    """

    state: Fraction = 0
    supplier: Fraction = 0
    regime: Fraction = 0
    refusal: Literal["at-leave", "all"] = "at-leave"
    named: dict[str, Fraction] = Field(default_factory=dict)
    baseline: Fraction | None = None


class Risk(_Part):
    """Conditional value at risk of the margin lost: its level, and its price or its bound."""

    level: Annotated[float, Strict(), Field(ge=0, lt=1)] = 0.9
    price: NotNegative = 0
    bound: NotNegative | None = None


class Stock(_Part):
    """Limits on safety stock, in days of demand; stock held today is always available."""

    minimum_days: NotNegative = 0
    maximum_days: NotNegative = 0


class Contract(_Part):
    """By how much a delivery may exceed the contracted volume, and whether idle capacity may be reserved for a fee."""

    flexibility: Annotated[float, Strict(), Field(ge=0, le=10)] = 0
    reserve: Truth = False


class Tier(_Part):
    """Price of the part of a supply's yearly volume above `above` units; tiers of one supply are read in order."""

    supply: str
    above: Positive
    unit_cost: NotNegative


class Solver(_Part):
    """Time limit in seconds, relative gap at which a plan counts as optimal."""

    seconds: Positive = 60
    gap: Annotated[float, Strict(), Field(ge=0, le=0.1)] = 1e-6


class Policy(_Part):
    """What a buyer accepts. Every key has a default that does not bind, so a file says only what it changes.

    `impossible` says what to do when a rule cannot hold for some need: refuse the whole plan (exit 4), or name
    the need, hold the rule as far as it can be held, and plan on.
    """

    name: str
    title: str = ""
    description: str = ""
    impossible: Literal["refuse", "name"] = "refuse"
    horizon: Horizon = Horizon()
    cost: Cost = Cost()
    caps: Caps = Caps()
    sources: Sources = Sources()
    control: Control = Control()
    licences: Licences = Licences()
    secure: Secure = Secure()
    budget: Budget = Budget()
    scenarios: Scenarios = Scenarios()
    risk: Risk = Risk()
    stock: Stock = Stock()
    contract: Contract = Contract()
    price_tiers: tuple[Tier, ...] = ()
    solver: Solver = Solver()

    def with_(self, **changes: Any) -> Policy:
        """Return a copy with dotted keys replaced: ``policy.with_(**{"caps.supplier": 0.5})``; checked like a file."""
        record = self.model_dump()
        for key, value in changes.items():
            target = record
            *path, last = key.split(".")
            for step in path:
                target = target[step]
            target[last] = value
        return policy_from(record, self.name)


def presets() -> tuple[str, ...]:
    """Names of the bundled policies, sorted."""
    return tuple(sorted(path.stem for path in (models() / "policies").glob("*.toml")))


def load_policy(name: str | Path) -> Policy:
    """Read a bundled policy by name, or a policy file by path.

    Raises UsageError for a name that is neither, InputError (all faults at once) for a file that breaks a rule.
    """
    text = str(name)
    bundled = models() / "policies" / f"{text}.toml"
    path = bundled if text in presets() else Path(text)
    if not path.is_file():
        near = difflib.get_close_matches(text, presets(), n=1, cutoff=0.4)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(f"no policy {text!r}.{hint} Bundled: {', '.join(presets())}; or name a TOML file")
    record, _ = read_toml(path, "a policy")
    return policy_from({"name": path.stem, **record}, path.name)


def policy_from(record: dict[str, Any], file: str = "policy") -> Policy:
    """Check a record against the schema and the rules between keys; raise InputError with every fault."""
    problems = Problems()
    try:
        policy = Policy.model_validate(record)
    except ValidationError as error:
        for fault in error.errors():
            _report(problems, file, fault)
        problems.raise_if_any()
        raise
    _consistent(policy, file, problems)
    problems.raise_if_any()
    return policy


def _report(problems: Problems, file: str, fault: Any) -> None:
    place = [str(step) for step in fault["loc"]]
    key = ".".join(place)
    if fault["type"] == "extra_forbidden":
        known = _keys(place[:-1])
        near = difflib.get_close_matches(place[-1], known, n=1, cutoff=0.3)
        cure = f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
        problems.add("policy-key", "unknown key", cure, file=file, column=key, value=place[-1])
    else:
        problems.add("policy-value", fault["msg"], file=file, column=key, value=fault.get("input", ""))


def _keys(path: list[str]) -> list[str]:
    model: Any = Policy
    for step in path:
        if step.isdigit():
            continue
        annotation = model.model_fields[step].annotation
        inner = [a for a in get_args(annotation) if isinstance(a, type) and issubclass(a, BaseModel)]
        model = inner[0] if inner else annotation
    return sorted(model.model_fields)


def _consistent(policy: Policy, file: str, problems: Problems) -> None:
    """Rules between keys: each named with its keys before anything is built."""

    def add(code: str, key: str, value: object, rule: str, cure: str) -> None:
        problems.add(code, rule, cure, file=file, column=key, value=value)

    horizon, sources, caps = policy.horizon, policy.sources, policy.caps
    if sources.maximum is not None and sources.maximum < sources.minimum:
        add("policy-sources", "sources.maximum", sources.maximum, "maximum is below minimum", "raise maximum")
    if sources.maximum is not None and sources.maximum * caps.supplier < 1 - 1e-9:
        add(
            "policy-caps",
            "caps.supplier",
            caps.supplier,
            f"{sources.maximum} sources of at most {caps.supplier:g} each cannot sum to 1",
            "raise caps.supplier or sources.maximum",
        )
    if sources.minimum > 1 and sources.minimum * sources.smallest_share > 1 + 1e-9:
        add(
            "policy-sources",
            "sources.smallest_share",
            sources.smallest_share,
            f"{sources.minimum} sources of at least {sources.smallest_share:g} each sum to more than 1",
            "lower sources.smallest_share or sources.minimum",
        )
    if horizon.strikes_month >= horizon.months:
        add(
            "policy-horizon",
            "horizon.strikes_month",
            horizon.strikes_month,
            "a refusal must strike before the horizon ends",
            "lower strikes_month or lengthen months",
        )
    elif (horizon.strikes_month * horizon.periods / horizon.months) % 1 > 1e-9:
        add(
            "policy-horizon",
            "horizon.strikes_month",
            horizon.strikes_month,
            f"a refusal strikes at the start of a period ({horizon.months / horizon.periods:g} months each)",
            "use a multiple of the period's length",
        )
    if policy.stock.maximum_days < policy.stock.minimum_days:
        add(
            "policy-stock",
            "stock.maximum_days",
            policy.stock.maximum_days,
            "maximum_days is below minimum_days",
            "raise maximum_days",
        )
    listed = sum(policy.scenarios.named.values())
    if policy.scenarios.baseline is None and listed > 1 + 1e-9:
        add("policy-probability", "scenarios.named", listed, "probabilities sum to more than 1", "lower them")
    automatic = policy.scenarios.state + policy.scenarios.supplier + policy.scenarios.regime
    if policy.scenarios.baseline is not None and not automatic and abs(policy.scenarios.baseline + listed - 1) > 1e-9:
        add(
            "policy-probability",
            "scenarios.baseline",
            policy.scenarios.baseline,
            f"the baseline and the named scenarios sum to {policy.scenarios.baseline + listed:g}, not 1",
            "make all probabilities sum to 1, or leave baseline out (it is then the rest)",
        )
    if policy.budget.total is not None and policy.budget.relative_to_today is not None:
        add(
            "policy-budget",
            "budget.total",
            policy.budget.total,
            "a budget is absolute or relative to today, not both",
            "remove one of total and relative_to_today",
        )
    tiers: dict[str, float] = {}
    for i, tier in enumerate(policy.price_tiers):
        if tier.above <= tiers.get(tier.supply, 0.0):
            add(
                "policy-tiers",
                f"price_tiers.{i}.above",
                tier.above,
                "tiers of one supply must rise",
                "list them in rising order of above",
            )
        tiers[tier.supply] = tier.above
