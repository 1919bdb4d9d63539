"""The verbs of `esteira`, one module each with `register(app)`; `deployments/cli.py` lists them.

A module imports what is slow (Prefect, pandas, the flows) inside its command, so that `esteira --help` stays quick.
Expected faults are raised as `deployments.errors.Fault`; a verb that did its work, but not all of it well, ends by
`raise typer.Exit(1)` after saying what is missing.
"""
