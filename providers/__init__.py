"""How the hub speaks to each system: `contract.py` says what they can do, `registry.py` which there are."""
