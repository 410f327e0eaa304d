"""Where other applications join in when a patient leaves for good.

Each function of before_erase is called inside the erasing transaction, before the
rows go, with the patient and the user who erases. It removes what it keeps about
the patient; bytes outside the database go in transaction.on_commit.
"""

from collections.abc import Callable

from accounts.models import User
from patients.models import Patient

before_erase: list[Callable[[Patient, User], None]] = []
