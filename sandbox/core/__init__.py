"""What every simulator shares: clock, quota windows, faults, scripts, call log, the HTTP exchange."""
