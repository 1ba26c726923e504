"""The grammar of destination scopes: who a control is aimed at.

    scope  := clause [" or " clause]...
    clause := places | "entity:" TAG [" in " places] | "end-use:" TAG [" in " places] | "head-office:" names
    places := "worldwide" | "worldwide-except:" names | "non-EU" | names [" except " names]
    names  := (GROUP | ISO3 | clause) [";" ...]

A state that the scope names by its own code is in, whatever group its exception names. `head-office` speaks of the
end party's head office wherever the goods go. Groups are dated: who is in `A:5` depends on the day.
"""

from __future__ import annotations

from dataclasses import dataclass

_TAGS = ("entity", "end-use", "head-office")


@dataclass(frozen=True)
class Clause:
    """One alternative of a scope. `include` None = worldwide; `kind` "" = any end user and use."""

    kind: str
    tag: str
    include: tuple[str, ...] | None
    exclude: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (self.include or ()) + self.exclude


def parse(text: str) -> tuple[Clause, ...]:
    """Return the clauses of a scope; a ValueError says what is wrong with it.

    >>> [clause.include for clause in parse("A:1;A:5")]
    [('A:1', 'A:5')]
    >>> parse("end-use:military in USA")[0].tag
    'military'
    """
    clauses: list[Clause] = []
    for part in text.split(" or "):
        clauses.extend(_clause(part.strip()))
    return tuple(clauses)


def _clause(text: str) -> list[Clause]:
    kind, _, rest = text.partition(":")
    if kind == "head-office":
        return [Clause(kind, "", _names(rest), ())]
    if kind in _TAGS:
        tag, inside, places = rest.partition(" in ")
        include, exclude = _places(places) if inside else (None, ())
        if not tag or ";" in tag or " " in tag:
            raise ValueError(f"{kind}: wants one tag, such as {kind}:footnote-5, not {tag!r}")
        return [Clause(kind, tag, include, exclude)]
    include, exclude = _places(text)
    tagged = [name for name in include or () if name.partition(":")[0] in _TAGS]
    plain = tuple(name for name in include or () if name not in tagged)
    clauses = [clause for name in tagged for clause in _clause(name)]
    if include is None or plain:
        clauses.insert(0, Clause("", "", None if include is None else plain, exclude))
    return clauses


def _places(text: str) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    if text == "non-EU":
        return None, ("EU",)
    for start in ("worldwide-except:", "worldwide except "):
        if text.startswith(start):
            return None, _names(text[len(start) :])
    if text == "worldwide":
        return None, ()
    include, excepted, exclude = text.partition(" except ")
    return _names(include), _names(exclude) if excepted else ()


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(";"))
    if not all(names):
        raise ValueError("a name of a state or group is blank: look for a doubled or final semicolon")
    return names


def told(text: str) -> str:
    """Return a scope in words.

    >>> told("worldwide-except:A:1;A:5"), told("end-use:military in USA"), told("non-EU")
    ('every destination but A:1 and A:5', 'the end use military in USA', 'every destination outside the Union')
    """
    return " or ".join(_told(clause) for clause in parse(text))


def _told(clause: Clause) -> str:
    if clause.kind == "head-office":
        return f"parties whose head office is in {_listed(clause.include or ())}"
    where = _where(clause)
    if clause.kind == "entity":
        return f"parties of {clause.tag}" + ("" if clause.include is None else f" in {where}")
    if clause.kind == "end-use":
        return f"the end use {clause.tag}" + ("" if clause.include is None else f" in {where}")
    return where


def _where(clause: Clause) -> str:
    if clause.include is None and clause.exclude == ("EU",):
        return "every destination outside the Union"
    inside = "every destination" if clause.include is None else _listed(clause.include)
    return f"{inside} but {_listed(clause.exclude)}" if clause.exclude else inside


def _listed(names: tuple[str, ...]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
