"""Wiring: settings, addresses, processes. No behaviour of the platform lives here."""

__version__ = "0.1.0"
