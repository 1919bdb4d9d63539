"""How Esteira is run: the `esteira` command, the one-command start, Prefect's deployments and automations."""
