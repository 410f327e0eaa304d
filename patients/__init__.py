"""Who the patient is and why they are here."""
