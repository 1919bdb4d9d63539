"""Python imports this at start from its path: it puts the children of the tests under the rule of their parent."""

import importlib.util
from pathlib import Path

_spec = importlib.util.spec_from_file_location("loopback_only", Path(__file__).parent.parent / "loopback_only.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
_module.install()
