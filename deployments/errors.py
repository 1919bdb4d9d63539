"""The faults that people meet: shown as a line on stderr, never as a traceback."""


class Fault(Exception):
    """Something that may go wrong in ordinary use. The text says what was received, what is valid and what to do."""

    exit_code = 1
