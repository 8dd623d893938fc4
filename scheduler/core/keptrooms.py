"""What a process keeps of the rooms of its markets: their bits are noted again only where units changed."""

from collections import OrderedDict

import numpy as np

from scheduler.core.compiled import compiled
from scheduler.core.market import Ints
from scheduler.core.room import Room, note_hours, open_room
from scheduler.core.standing import MARKETS
from scheduler.core.tables import Shelf


class KeptRooms:
    """The last room of each of a few markets. A market is known by its array of groups, which no other market has."""

    def __init__(self) -> None:
        self._rooms: OrderedDict[int, tuple[Ints, Room]] = OrderedDict()  # and the units that it was asked for

    def of(self, units: Ints, shelf: Shelf) -> Room:
        """The room of `units` [offers, hours], to be read only: the next call for its market changes it."""
        key = id(shelf.begin)  # the kept room holds the array, so that its number is not given to another
        before, room = self._rooms.pop(key, (None, None))
        if room is None or room.free.shape != units.shape:
            room = open_room(units.copy(), shelf.begin)
        elif units is not before:
            changed = np.flatnonzero((room.free != units).any(axis=1))
            room.free[changed] = units[changed]
            note_offers(room, changed, shelf.group)
        self._rooms[key] = units, room
        if len(self._rooms) > MARKETS:
            self._rooms.popitem(last=False)
        return room

    def clear(self) -> None:
        """Keep nothing."""
        self._rooms.clear()


@compiled
def note_offers(room: Room, offers: Ints, group: Ints) -> None:
    """Set all bits of `offers` as their free units say."""
    for offer in offers:
        note_hours(room, group[offer], offer, 0, room.free.shape[1])


_begun, _empty = KeptRooms(), KeptRooms()


def begun_room(shelf: Shelf) -> Room:
    """The units free as the round began, for the round to take."""
    room = _begun.of(shelf.began, shelf)
    return Room(shelf.began.copy(), room.open.copy(), room.block, room.begin)


def empty_room(shelf: Shelf) -> Room:
    """What there would be if nothing were promised, to be read only."""
    return _empty.of(shelf.total, shelf)


def forget_rooms() -> None:
    """Keep nothing, as in a new process."""
    _begun.clear()
    _empty.clear()
