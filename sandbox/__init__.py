"""Simulators of the vendors' HTTP APIs, written from the reference pages and importing nothing of ours."""
