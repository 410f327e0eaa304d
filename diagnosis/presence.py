"""Who has a film open at the moment, so that no two people read it unknowingly."""

from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User

from .models import Film, FilmPresence

# A page says every SAY_S that it is open; who missed two times has left.
SAY_S = 10
LEFT_AFTER = timedelta(seconds=2.5 * SAY_S)
KEPT = timedelta(days=1)


def enter(*, film: Film, user: User) -> list[User]:
    """Note that the person has the film open; returns who else has."""
    FilmPresence.objects.update_or_create(
        film=film, user=user, defaults={"seen_at": timezone.now()}
    )
    return others_on(film, user)


def others_on(film: Film, user: User) -> list[User]:
    """The other people who have the film open, by name."""
    there = FilmPresence.objects.filter(film=film, seen_at__gt=Now() - LEFT_AFTER)
    return [row.user for row in there.exclude(user=user).select_related("user").order_by("id")]


def forget_old() -> int:
    """Drop signs of people who left long ago; returns how many."""
    return FilmPresence.objects.filter(seen_at__lt=Now() - KEPT).delete()[0]
