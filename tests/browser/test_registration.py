"""Registering by keyboard alone, in the time that a triage nurse has."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from patients.models import Patient
from tests.accounts.factories import make_nurse

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
# Seconds for one key of an average typist at a form, and for one look at what comes next
# (Card, Moran and Newell, The Keystroke-Level Model, 1980: K = 0.28 s, M = 1.35 s).
KEY_S, LOOK_S = 0.28, 1.35
GOAL_S = 20.0


def test_a_patient_is_registered_with_a_visit_by_keys_alone_in_under_twenty_seconds(
    page: Page, signed_in: Any
) -> None:
    signed_in(make_nurse())
    page.goto("/patients/register/")
    keys = 0

    def type_in(name: str, text: str) -> None:
        """Go on by Tab until the field is reached, then type."""
        nonlocal keys
        for _ in range(8):
            if page.evaluate("document.activeElement.name") == name:
                break
            page.keyboard.press("Tab")
            keys += 1
        assert page.evaluate("document.activeElement.name") == name
        page.keyboard.type(text)
        keys += len(text)

    type_in("mrn", "00481212")
    type_in("family_name", "Kim")
    type_in("given_name", "Ara")
    type_in("birth_date", "19700305")
    type_in("sex", " ")
    type_in("triage_level", " ")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    keys += 2
    expect(page.locator("h1")).to_contain_text("Kim")
    patient = Patient.objects.get()
    assert (patient.mrn, patient.sex, patient.triage_level) == ("00481212", "F", 2)
    fields = 6
    assert keys * KEY_S + fields * LOOK_S < GOAL_S, f"{keys} keys"
