"""Who the invented people are, before anybody writes them down."""

from __future__ import annotations

import datetime
from typing import Final, TypeAlias

import numpy as np
from numpy import typing as npt

from hushlink_encoder.people import draws, words

Texts: TypeAlias = npt.NDArray[np.object_]

TOGETHER: Final = 12
"""So many neighbours in number are shared out among households in one of these ways."""
_SHARED_OUT: Final = (
    *((1, 2, 4, 5), (2, 2, 3, 5), (1, 1, 2, 3, 5), (4, 4, 4), (2, 4, 3, 3), (1, 2, 2, 2, 5), (3, 3, 2, 4)),
    *((2, 1, 4, 1, 4), (1, 1, 1, 2, 3, 4), (2, 2, 2, 2, 4)),
)
_FIRST_YEAR: Final = 1920
_LAST_YEAR: Final = 2025
_RARE_SURNAMES: Final = 0.35
_OWN_SURNAME: Final = 0.15
"""Of those who live with somebody."""


def _dates() -> Texts:
    first = datetime.date(_FIRST_YEAR, 1, 1)
    days = (datetime.date(_LAST_YEAR + 1, 1, 1) - first).days
    return draws.texts([(first + datetime.timedelta(day)).isoformat() for day in range(days)])


class Population:
    """Tells of any number of people, by their numbers, which are below 2^63; keeps nothing of them."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._bases: dict[str, int] = {}
        self._women, self._men = draws.texts(words.WOMEN), draws.texts(words.MEN)
        self._surnames, self._streets = draws.texts(words.SURNAMES), draws.texts(words.STREETS)
        self._rare = draws.texts(
            [f"{stem}{middle}{end}" for stem in words.STEMS for middle in ("", *words.MIDDLES) for end in words.ENDINGS]
        )
        self._ways, self._towns = draws.texts(words.WAYS), draws.texts(words.TOWNS)
        self._dates = _dates()
        years = range(_FIRST_YEAR, _LAST_YEAR + 1)
        self._year_starts = (
            np.array([datetime.date(year, 1, 1).toordinal() for year in years])
            - datetime.date(_FIRST_YEAR, 1, 1).toordinal()
        )
        self._of_women, self._of_men, self._of_surnames = (
            draws.Frequencies(len(values), 8) for values in (self._women, self._men, self._surnames)
        )
        self._of_streets, self._of_ways, self._of_towns = (
            draws.Frequencies(len(values), flatness)
            for values, flatness in ((self._streets, 12), (self._ways, 2), (self._towns, 4))
        )
        ways = [[(place, role) for place, size in enumerate(way) for role in range(size)] for way in _SHARED_OUT]
        self._shares = np.array(ways, np.int64)

    def people(self, numbers: draws.Numbers) -> dict[str, Texts]:
        """Columns of truth for these people; the household's are shared."""
        group, place = numbers // np.uint64(TOGETHER), (numbers % np.uint64(TOGETHER)).astype(np.int64)
        way = draws.below(len(_SHARED_OUT), self._drawn("shared out", group))
        household, role = self._shares[way, place].T
        home = group * np.uint64(TOGETHER) + household.astype(np.uint64)
        women = self._women_among(numbers, home, role)
        own = (role == 1) & draws.happens(_OWN_SURNAME, self._drawn("own surname", numbers))
        surnames = self.surnames("surname", home)
        surnames[own] = self.surnames("maiden", numbers[own])
        return {
            "given_name": self._given(numbers, women),
            "surname": surnames,
            "sex": np.where(women, draws.texts(["f"])[0], draws.texts(["m"])[0]).astype(object),
            "date_of_birth": self._births(numbers, home, role),
            **self.addresses("home", home),
            "phone": self.phones(numbers),
        }

    def surnames(self, purpose: str, numbers: draws.Numbers) -> Texts:
        """A surname for each number."""
        random = self._drawn(purpose, numbers)
        found: Texts = self._surnames[self._of_surnames.chosen(random)]
        rare = draws.happens(_RARE_SURNAMES, self._drawn(f"{purpose}, rare", numbers))
        found[rare] = self._rare[draws.below(len(self._rare), random[rare])]
        return found

    def addresses(self, purpose: str, numbers: draws.Numbers) -> dict[str, Texts]:
        """An address for each number; streets of one town share the beginning of their postcodes."""
        street = self._of_streets.chosen(self._drawn(f"{purpose}, street", numbers))
        way = self._of_ways.chosen(self._drawn(f"{purpose}, way", numbers))
        town = self._of_towns.chosen(self._drawn(f"{purpose}, town", numbers))
        house = self._drawn(f"{purpose}, house", numbers)
        highest = 1 + draws.below(240, house)  # low numbers are frequent: every street has them
        houses = 1 + draws.below(1 << 16, house << np.uint64(32)) * highest // (1 << 16)
        postcodes = (town + 10) * 1000 + (street * 7 + way * 131) % 1000
        return {
            "house_number": _written("%d", houses),
            "street": self._streets[street] + " " + self._ways[way],
            "town": self._towns[town],
            "postcode": _written("%05d", postcodes),
        }

    def phones(self, numbers: draws.Numbers) -> Texts:
        """A telephone number of eleven digits for each number."""
        random = self._drawn("phone", numbers)
        return _written("07%09d", (random % np.uint64(1_000_000_000)).astype(np.int64))

    def _women_among(
        self, numbers: draws.Numbers, home: draws.Numbers, role: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        women = draws.happens(0.5, self._drawn("sex", numbers))
        head = draws.happens(0.5, self._drawn("sex of the head", home))
        women = np.where(role == 0, head, women)
        couple = (role == 1) & draws.happens(0.95, self._drawn("couple", numbers))
        return np.where(couple, ~head, women)

    def _given(self, numbers: draws.Numbers, women: npt.NDArray[np.bool_]) -> Texts:
        random = self._drawn("given name", numbers)
        return np.where(
            women, self._women[self._of_women.chosen(random)], self._men[self._of_men.chosen(random)]
        ).astype(object)

    def _births(self, numbers: draws.Numbers, home: draws.Numbers, role: npt.NDArray[np.int64]) -> Texts:
        """Partners are of an age; children follow after twenty years or more."""
        head = 1932 + draws.below(68, self._drawn("year of the head", home))
        random = self._drawn("birth", numbers)
        partner, child = draws.below(13, random) - 6, 20 + draws.below(20, random)
        years = head + np.where(role == 0, 0, np.where(role == 1, partner, child))
        years = np.clip(years, _FIRST_YEAR, _LAST_YEAR - 1) - _FIRST_YEAR
        days = draws.below(365, self._drawn("birthday", numbers))
        found: Texts = self._dates[self._year_starts[years] + days]
        return found

    def _drawn(self, purpose: str, numbers: draws.Numbers) -> draws.Numbers:
        begin = self._bases.get(purpose)
        if begin is None:
            begin = self._bases[purpose] = draws.base(self._seed, purpose)
        return draws.drawn(begin, numbers)


def _written(form: str, numbers: npt.NDArray[np.int64]) -> Texts:
    return draws.texts([form % number for number in numbers.tolist()])
