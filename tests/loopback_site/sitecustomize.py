"""Python imports this at start from its path: it puts the children of the tests under the rule of their parent."""

import importlib.util
import sys
from pathlib import Path

# By this name `tests/conftest.py` finds it: a worker of pytest-xdist is a child too, and with a second copy there the
# attempts would be kept in one list and asked for in the other.
_NAME = "tests.loopback_only"
_spec = importlib.util.spec_from_file_location(_NAME, Path(__file__).parent.parent / "loopback_only.py")
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
sys.modules[_NAME] = _module
_spec.loader.exec_module(_module)
_module.install()
