"""What goes wrong when people are written down."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from hushlink_encoder.people import draws

Cells: TypeAlias = dict[str, str]
"""One record, by column."""

_ROWS: Final = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
_TEXTUAL: Final = (
    *("given_name", "given_name", "given_name", "surname", "surname", "surname", "surname", "street", "street"),
    *("date_of_birth", "date_of_birth", "town", "postcode", "phone", "house_number"),
)
"""The columns that slips happen in, as often as they stand here."""
_OCR: Final = (
    *(("rn", "m"), ("m", "rn"), ("cl", "d"), ("d", "cl"), ("vv", "w"), ("l", "1"), ("I", "l"), ("O", "0"), ("o", "0")),
    *(("0", "O"), ("5", "S"), ("S", "5"), ("8", "B"), ("B", "8"), ("1", "l"), ("6", "G"), ("2", "Z"), ("e", "c")),
    *(("h", "b"), ("i", "j"), ("u", "v"), ("n", "h")),
)
_SOUNDS: Final = (
    *(("ph", "f"), ("f", "ph"), ("th", "t"), ("ck", "k"), ("k", "c"), ("c", "k"), ("sch", "sh"), ("ie", "y")),
    *(("y", "i"), ("i", "y"), ("ee", "ea"), ("ea", "ee"), ("ll", "l"), ("l", "ll"), ("nn", "n"), ("n", "nn")),
    *(
        ("tt", "t"),
        ("z", "s"),
        ("s", "z"),
        ("w", "v"),
        ("v", "w"),
        ("ou", "ow"),
        ("ow", "ou"),
        ("dt", "t"),
        ("x", "ks"),
    ),
    *(("ü", "ue"), ("ö", "oe"), ("ä", "ae"), ("é", "e"), ("ø", "o"), ("ł", "l"), ("ó", "o"), ("ś", "s"), ("ñ", "n")),
)


def _neighbours() -> dict[str, str]:
    """Keys beside each key of a keyboard."""
    found = {}
    for row, keys in enumerate(_ROWS):
        for place, key in enumerate(keys):
            near = keys[max(place - 1, 0) : place] + keys[place + 1 : place + 2]
            for other in (row - 1, row + 1):
                if 0 <= other < len(_ROWS):
                    near += _ROWS[other][place : place + 1]
            found[key] = "".join(each for each in near if each.isdigit() == key.isdigit())
    return found


_NEAR: Final = _neighbours()


Slip: TypeAlias = Callable[[str, draws.Stream], str]


def typed(cell: str, chance: draws.Stream) -> str:
    """A letter too few, one too many, one twice, or the key beside the right one."""
    place = chance.below(len(cell))
    kind, letter = chance.below(5), cell[place]
    near = _NEAR.get(letter.lower(), "")
    beside = near[chance.below(len(near))] if near else letter
    beside = beside.upper() if letter.isupper() else beside
    match kind:
        case 0 if len(cell) > 1:
            return cell[:place] + cell[place + 1 :]
        case 1:
            return cell[:place] + letter + cell[place:]
        case 2:
            return cell[: place + 1] + beside.lower() + cell[place + 1 :]
        case _:
            return cell[:place] + beside + cell[place + 1 :]


def transposed(cell: str, chance: draws.Stream) -> str:
    """Two neighbouring letters exchanged."""
    if len(cell) < 2:
        return cell
    place = chance.below(len(cell) - 1)
    return cell[:place] + cell[place + 1] + cell[place] + cell[place + 2 :]


def scanned(cell: str, chance: draws.Stream) -> str:
    """A letter that was read as another that looks like it."""
    return _rewritten(cell, _OCR, chance)


def misheard(cell: str, chance: draws.Stream) -> str:
    """Letters written as others that sound like them."""
    return _rewritten(cell, _SOUNDS, chance)


def _rewritten(cell: str, ways: tuple[tuple[str, str], ...], chance: draws.Stream) -> str:
    fitting = [(old, new) for old, new in ways if old in cell]
    if not fitting:
        return typed(cell, chance)
    old, new = fitting[chance.below(len(fitting))]
    parts = cell.split(old)
    place = 1 + chance.below(len(parts) - 1)
    return old.join(parts[:place]) + new + old.join(parts[place:])


_SLIPS: Final[tuple[Slip, ...]] = (typed, typed, typed, typed, transposed, transposed, scanned, misheard, misheard)


def slip(record: Cells, chance: draws.Stream) -> None:
    """Spoil one cell."""
    column = _TEXTUAL[chance.below(len(_TEXTUAL))]
    cell = record[column]
    spoil = _SLIPS[chance.below(len(_SLIPS))]
    if cell:
        record[column] = spoil(cell, chance)


def exchange(record: Cells, chance: draws.Stream) -> None:
    """Put a given name where the surname belongs and the other way round, or the day for the month."""
    if chance.below(2):
        record["given_name"], record["surname"] = record["surname"], record["given_name"]
    else:
        year, _, rest = record["date_of_birth"].partition("-")
        month, _, day = rest.partition("-")
        record["date_of_birth"] = f"{year}-{day}-{month}" if day else record["date_of_birth"]


def shorten(record: Cells, chance: draws.Stream) -> None:
    """Write an initial for a given name, or leave out the house's number."""
    if chance.below(3):
        record["given_name"] = record["given_name"][:1]
    else:
        record["house_number"] = ""
