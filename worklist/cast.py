"""Who is in the emergency room of the demonstration; nobody of them lives."""

from dataclasses import dataclass

from accounts.roles import Role
from ml.imaging.synthetic import Opacity

PEOPLE = (
    ("demo.physician", "Kim Seo-yeon", Role.PHYSICIAN),
    ("demo.physician2", "Nguyễn Minh Đức", Role.PHYSICIAN),
    ("demo.radiologist", "Park Jin-woo", Role.RADIOLOGIST),
    ("demo.nurse", "Trần Thị Mai", Role.NURSE),
    ("demo.radiographer", "Cho Hana", Role.RADIOGRAPHER),
)

# The rules of the demonstration's site: finding → triage level that it raises to.
RAISES = {"Pneumothorax": 1, "Effusion": 2, "Consolidation": 2}


@dataclass(frozen=True)
class Guest:
    """A patient of the shift. waited_min: minutes since they came; left: whether they went home.

    opacity: a shadow drawn into the film; turned: the film was sent upside down;
    prior_days: days since an earlier visit with a film; dicom: sent as DICOM
    """

    family: str
    given: str
    born: str
    sex: str
    triage: int
    area: str
    complaint: str
    waited_min: int
    opacity: Opacity | None = None
    left: bool = False
    turned: bool = False
    signed: bool = False
    prior_days: int = 0
    dicom: bool = False
    films: int = 1


# Large shadows, because the networks leave small ones on drawn films alone.
SHADOW = Opacity(x=0.3, y=0.72, radius=0.22, strength=1.0)
LEFT_BASE = Opacity(x=0.7, y=0.75, radius=0.2, strength=1.0)
WIDE = Opacity(x=0.7, y=0.6, radius=0.28, strength=1.0)

GUESTS = (
    Guest("Kim", "Ara", "1970-03-05", "F", 2, "Resus", "Sudden chest pain, short of breath", 12,
          SHADOW, prior_days=21, dicom=True),
    Guest("Lee", "Jun", "1955-11-30", "M", 3, "A4", "Cough and fever for five days", 34, LEFT_BASE),
    Guest("Võ", "Thị Linh", "1993-06-14", "F", 3, "B1", "Fall from a bicycle, right ribs", 41,
          dicom=True),
    Guest("Cho", "Min", "2002-01-19", "M", 4, "WR", "Chest wall pain after lifting", 66),
    Guest("Park", "Soo-jin", "1948-08-02", "F", 2, "Resus", "Breathless at rest, swollen legs", 9,
          LEFT_BASE, prior_days=90, signed=True),
    Guest("Nguyễn", "Văn Hùng", "1961-04-27", "M", 3, "A1", "Haemoptysis", 28, WIDE, dicom=True),
    Guest("Choi", "Eun-ji", "1987-12-11", "F", 4, "WR", "Cough for three weeks", 88),
    Guest("이", "서연", "1979-02-23", "F", 3, "A2", "발열과 기침", 19, SHADOW),
    Guest("김", "민준", "1966-10-08", "M", 3, "A3", "흉통", 52, signed=True),
    Guest("Trần", "Ngọc Anh", "1990-05-05", "F", 4, "B2", "Asthma, wheezing since morning", 73),
    Guest("Unidentified", "", "", "U", 1, "Resus", "Found in the street, responds to voice", 6,
          SHADOW),
    Guest("O’Brien", "Máire", "1939-09-17", "F", 3, "A5", "Confused, fever", 47, LEFT_BASE,
          prior_days=300),
    Guest("Schneider", "Jonas", "1974-07-21", "M", 3, "B3", "Chest pain on breathing in", 22,
          turned=True),
    Guest("Jung", "Ha-eun", "1998-03-30", "F", 4, "WR", "Swallowed fish bone", 58),
    Guest("Phạm", "Quang", "1952-12-02", "M", 2, "A6", "Known heart failure, worse since night", 15,
          SHADOW, films=2),
    Guest("Garcia-Fernandez", "María del Carmen", "1983-08-15", "F", 3, "A7", "Pleuritic pain", 37),
    Guest("Kang", "Dong-hyun", "1969-01-12", "M", 4, "WR", "Pre-operative film", 112, signed=True),
    Guest("Lê", "Thảo", "1996-11-06", "F", 5, "WR", "Needs a certificate, cough", 134),
    Guest("Yoon", "Ji-ho", "1958-06-25", "M", 3, "A8", "Fever after chemotherapy", 31, WIDE,
          prior_days=45, signed=True),
    Guest("Smith", "Walter", "1944-02-18", "M", 3, "B4", "Fall at home, left chest", 49, LEFT_BASE),
    Guest("Han", "So-ra", "2001-09-09", "F", 4, "WR", "Cough", 180, left=True, signed=True),
    Guest("Đặng", "Bảo", "1985-07-07", "M", 3, "A2", "Fever", 220, SHADOW, left=True, signed=True),
    Guest("Oh", "Min-seo", "1976-04-04", "F", 4, "B1", "Chest pain", 200, left=True),
    Guest("Baek", "Jae-won", "1991-10-29", "M", 4, "WR", "Stab of pain, anxious", 240, left=True,
          signed=True),
)  # fmt: skip
