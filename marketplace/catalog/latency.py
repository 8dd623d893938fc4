"""Round trips by great-circle distance: a stated estimate until a route is measured."""

from math import asin, cos, radians, sin, sqrt

EARTH_KM = 6371.0
KM_PER_MS = 100.0  # there and back at two thirds of the speed of light
DETOUR = 1.4  # cables do not follow great circles
ACCESS_MS = 1.5


def distance_km(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Great-circle distance of two (latitude, longitude) pairs in degrees (haversine)."""
    (lat_a, lon_a), (lat_b, lon_b) = ((radians(x), radians(y)) for x, y in (a, b))
    chord = sin((lat_b - lat_a) / 2) ** 2 + cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_KM * asin(min(1.0, sqrt(chord)))


def estimated_ms(a: tuple[float, float], b: tuple[float, float]) -> int:
    """Round trip in ms, rounded up."""
    return int(distance_km(a, b) * DETOUR / KM_PER_MS + ACCESS_MS) + 1
