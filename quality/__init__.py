"""How well the platform does here: times, agreement, refusals, drift."""
