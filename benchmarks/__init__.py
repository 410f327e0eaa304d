"""Figures that the project states, measured again by one command."""
