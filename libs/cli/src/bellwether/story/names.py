"""Names that sound like someone and are nobody."""

import random
from itertools import product
from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ROOTS: Final = _words(
    "Velorin Tarnbeck Quellmark Osterhal Brindlow Kestava Marrowen Ullverk Sandrava Ilvermor Pellworth Dunmarrow Corvane "
    "Hestrup Lindrava Orbeck Tallisund Wrenmark Aldoven Brackwell Cindermoor Eskelund Farrowin Gellmark Hollavar Jorvane "
    "Kilverin Lorrimund Mossavel Norrland Ravenholt Selverin Thornavel Umbermark Varnholm Willowrun Yarrowin Zelmark"
)
_TRADES: Final = (
    "Logistics",
    "Foods",
    "Textiles",
    "Insurance",
    "Optics",
    "Energy",
    "Clinics",
    "Travel",
    "Press",
    "Tools",
)
_FIRST: Final = _words(
    "Ada Ben Carla Dario Elif Femi Greta Hugo Ines Jonas Kaia Leo Mira Noor Otis Paula Quim Rosa Sami Tessa Uma Viktor "
    "Wanda Xenia Yusuf Zoe Anouk Bela Chidi Dina Emil Freya Goran Hana Ivo Jana Kofi Lena Marek Nils"
)
_LAST: Final = _words(
    "Abendroth Brix Castellan Dahlby Eskola Fairlie Grieg Hollund Ibarra Jansky Kestner Lindqvist Morane Novik Okafor "
    "Petrov Quist Rautio Sorel Tamm Ueda Varga Winther Yilmaz Zeller Aldana Boran Cerny Duarte Engel"
)
OWNERS: Final = ("mira.solberg", "tom.ekwueme", "lucia.ferrant", "anders.holm", "priya.nair", "jules.mercier")
FEATURES: Final = _words(
    "dashboard exports approvals templates forecasts integrations comments automations reports alerts imports audit_log"
)


def account_names(rng: random.Random, count: int) -> list[tuple[str, str]]:
    """Distinct (name, trade) pairs in a random order."""
    pairs = [(f"{root} {trade}", trade.lower()) for root, trade in product(_ROOTS, _TRADES)]
    return rng.sample(pairs, count)


def people_names(rng: random.Random, count: int) -> list[str]:
    """Distinct within an account, such as `ada.lindqvist`; an identifier of the customer's, not a mail address."""
    return [
        f"{_FIRST[at % len(_FIRST)]}.{_LAST[at // len(_FIRST)]}".lower()
        for at in rng.sample(range(1200), count)
    ]


def slug(name: str) -> str:
    return name.lower().replace(" ", "-")
