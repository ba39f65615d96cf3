"""Intervals, tests, operating points and strata, from events."""
