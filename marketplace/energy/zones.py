"""The grid zones that Joulemart knows by name; an import may fill any of them, a sample market the sample ones.

Codes are those of Electricity Maps where it publishes the zone, else ISO 3166-2 (the provinces of China).
"""

from dataclasses import dataclass

CHINA = "China"
EUROPE = "European Union, EFTA and EEA"


@dataclass(frozen=True, slots=True)
class KnownZone:
    """A zone's fixed facts. `market_boundary` is the market within which a certificate may serve a use."""

    code: str
    name: str
    name_zh: str
    country: str
    market_boundary: str
    timezone: str
    latitude: float
    longitude: float


KNOWN_ZONES: tuple[KnownZone, ...] = (
    KnownZone("CN", "China", "中国", "CN", CHINA, "Asia/Shanghai", 35.0, 104.0),
    KnownZone("CN-NX", "Ningxia", "宁夏", "CN", CHINA, "Asia/Shanghai", 38.5, 106.3),
    KnownZone("CN-GZ", "Guizhou", "贵州", "CN", CHINA, "Asia/Shanghai", 26.6, 106.7),
    KnownZone("CN-NM", "Inner Mongolia", "内蒙古", "CN", CHINA, "Asia/Shanghai", 41.0, 113.1),
    KnownZone("CN-HE", "Hebei", "河北", "CN", CHINA, "Asia/Shanghai", 40.8, 114.9),
    KnownZone("CN-SH", "Shanghai", "上海", "CN", CHINA, "Asia/Shanghai", 31.2, 121.5),
    KnownZone("CN-AH", "Anhui", "安徽", "CN", CHINA, "Asia/Shanghai", 31.8, 117.3),
    KnownZone("CN-GD", "Guangdong", "广东", "CN", CHINA, "Asia/Shanghai", 23.1, 113.3),
    KnownZone("CN-YN", "Yunnan", "云南", "CN", CHINA, "Asia/Shanghai", 25.0, 102.7),
    KnownZone("SE", "Sweden", "瑞典", "SE", EUROPE, "Europe/Stockholm", 63.0, 16.5),
    KnownZone("DE", "Germany", "德国", "DE", EUROPE, "Europe/Berlin", 51.2, 10.4),
    KnownZone("US-TEX", "Texas", "得克萨斯", "US", "United States", "America/Chicago", 31.5, -99.0),
    KnownZone("SG", "Singapore", "新加坡", "SG", "Singapore", "Asia/Singapore", 1.35, 103.8),
    KnownZone("AU-NSW", "New South Wales", "新南威尔士", "AU", "Australia", "Australia/Sydney", -33.0, 147.0),
    KnownZone("AU-VIC", "Victoria", "维多利亚", "AU", "Australia", "Australia/Melbourne", -37.0, 144.5),
    KnownZone("BR-CS", "Central Brazil", "巴西中部", "BR", "Brazil", "America/Sao_Paulo", -20.0, -47.0),
    KnownZone("CA-ON", "Ontario", "安大略", "CA", "Canada", "America/Toronto", 44.0, -79.5),
    KnownZone("CL-SEN", "Chile", "智利", "CL", "Chile", "America/Santiago", -33.4, -70.7),
    KnownZone("ES", "Spain", "西班牙", "ES", EUROPE, "Europe/Madrid", 40.0, -3.7),
    KnownZone("FR", "France", "法国", "FR", EUROPE, "Europe/Paris", 46.6, 2.4),
    KnownZone("GB", "Great Britain", "大不列颠", "GB", "Great Britain", "Europe/London", 53.0, -1.5),
    KnownZone("IN-WE", "Western India", "印度西部", "IN", "India", "Asia/Kolkata", 20.0, 75.0),
    KnownZone("JP-TK", "Tokyo", "东京", "JP", "Japan", "Asia/Tokyo", 35.7, 139.7),
    KnownZone("KR", "South Korea", "韩国", "KR", "South Korea", "Asia/Seoul", 36.5, 127.8),
    KnownZone("NO", "Norway", "挪威", "NO", EUROPE, "Europe/Oslo", 61.0, 8.5),
    KnownZone("US-CAL-CISO", "California", "加利福尼亚", "US", "United States", "America/Los_Angeles", 36.5, -119.5),
    KnownZone("US-MIDA-PJM", "PJM", "PJM 电网", "US", "United States", "America/New_York", 40.0, -78.5),
    KnownZone("US-NY-NYIS", "New York", "纽约", "US", "United States", "America/New_York", 42.8, -75.5),
    KnownZone(
        "US-TEX-ERCO", "Texas (ERCOT)", "得克萨斯（ERCOT）", "US", "United States", "America/Chicago", 31.5, -99.0
    ),
    KnownZone("ZA", "South Africa", "南非", "ZA", "South Africa", "Africa/Johannesburg", -29.0, 25.0),
)
BY_CODE = {zone.code: zone for zone in KNOWN_ZONES}
