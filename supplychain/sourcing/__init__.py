"""Sourcing: what to buy from whom, which second sources to qualify, what stock to hold, and what each rule costs."""
