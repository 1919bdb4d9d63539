"""What we know: tables, rules, settings, migrations. No HTTP, no Prefect."""
