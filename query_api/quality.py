"""What a request would rather have: the words of Accept and Accept-Encoding with their q-values (RFC 9110)."""

import math


def qualities(header: str) -> dict[str, float]:
    """Each word in lower case with its q, from 0 (not at all) to 1; in the order of the header."""
    found: dict[str, float] = {}
    for part in header.lower().split(","):
        word, *parameters = (piece.strip() for piece in part.split(";"))
        if word:
            found.setdefault(word, _quality(parameters))
    return found


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = float(parameter[2:])
            except ValueError:
                return 0.0
            return 0.0 if math.isnan(quality) else min(max(quality, 0.0), 1.0)
    return 1.0
