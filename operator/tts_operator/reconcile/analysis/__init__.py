"""Analyze a new revision: check its speech, and watch its live traffic."""
