"""The platform's two languages, and which of them an HTTP client prefers."""

LANGUAGES = ("zh", "en")


def accepted_language(header: str, default: str = "en") -> str:
    """The first of our languages by the weights of Accept-Language (RFC 9110 12.5.4)."""
    best, weight = default, 0.0
    for part in header.split(","):
        name, _, parameter = part.strip().partition(";")
        language = name.split("-")[0].strip().lower()
        if language not in LANGUAGES:
            continue
        try:
            q = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if q > weight:
            best, weight = language, q
    return best
