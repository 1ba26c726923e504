"""Sourcing: what to buy from whom, which second sources to qualify, what stock to hold, and what each rule costs."""

from __future__ import annotations

from supplychain.sourcing.compare import compare, source
from supplychain.sourcing.plan import Plan, make_plan
from supplychain.sourcing.policy import Policy, load_policy, policy_from, presets

__all__ = ["Plan", "Policy", "compare", "load_policy", "make_plan", "policy_from", "presets", "source"]
