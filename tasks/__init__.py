"""Prefect tasks: one page or one batch of work each."""
