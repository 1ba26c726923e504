"""What things are called: items, states, organisations, regimes and supplies of one case, by id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from supplychain.report.language import ENGLISH, Language

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supplychain.case import Case


@dataclass(frozen=True)
class Names:
    """Names by id; an id that has no name is its own name."""

    items: Mapping[str, str]
    organisations: Mapping[str, str]
    regimes: Mapping[str, str]
    supplies: Mapping[str, tuple[str, str, str]]  # organisation, item, site
    language: Language = ENGLISH

    @classmethod
    def of(cls, case: Case, language: Language = ENGLISH) -> Names:
        network = case.network
        supplies = network.supplies
        return cls(
            dict(zip(network.items["item"], network.items["name"], strict=True)),
            dict(zip(network.organisations["organisation"], network.organisations["name"], strict=True)),
            dict(zip(case.book.tables["regimes"]["regime"], case.book.tables["regimes"]["name"], strict=True)),
            {
                str(row[0]): (str(row[1]), str(row[2]), str(row[3]))
                for row in supplies[["supply", "organisation", "item", "site"]].itertuples(index=False, name=None)
            },
            language,
        )

    def item(self, item: str) -> str:
        return self.language.name("item", item, self.items.get(item) or item)

    def state(self, code: str) -> str:
        return self.language.state(code)

    def organisation(self, organisation: str) -> str:
        return self.language.tell(self.organisations.get(organisation) or organisation)

    def regime(self, regime: str) -> str:
        return self.language.name("regime", regime, self.regimes.get(regime) or regime)

    def supply(self, supply: str) -> str:
        """Return "maker: item, state"."""
        if supply not in self.supplies:
            return supply
        organisation, item, site = self.supplies[supply]
        return self.language.say(
            "{maker}: {item}, {state}",
            maker=self.organisation(organisation),
            item=self.item(item),
            state=self.state(site),
        )

    def element(self, kind: str, name: str) -> str:
        """Return the name of an element of a choke-point table, by its kind."""
        by_kind = {
            "item": self.item,
            "organisation": self.organisation,
            "supply": self.supply,
            "site": self.state,
            "jurisdiction": self.state,
            "state": self.state,
            "regime": self.regime,
        }
        return by_kind.get(kind, str)(name)
