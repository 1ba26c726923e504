"""Analyses: each takes a case (or a compiled network) and returns a frozen result that holds tables."""
