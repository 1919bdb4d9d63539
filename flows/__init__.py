"""One module a sync path, named as ops name it."""
