"""Numbers that were told, in JSON or as text, without a float in between and none so large that it would take long."""

import re
from decimal import Context, Decimal

# Wide enough for any money and any count; beyond it, a sum could not be trusted to fit a bucket's cell.
_LARGEST = Decimal(10) ** 18
_DIGITS = 60
_NUMBER = re.compile(r"-?[0-9]{1,60}(?:\.[0-9]{1,60})?(?:[eE][+-]?[0-9]{1,2})?")
_EXACT = Context(prec=200)


class NotExact(ValueError):
    """`code` is one of the engine's rejection codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def exact(token: bytes) -> Decimal | None:
    """The number in a JSON token, a number or a string that holds one; None for null. Raises NotExact for all else."""
    text = token.decode().strip()
    if text == "null":
        return None
    bare = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if _NUMBER.fullmatch(bare) is None:
        raise NotExact("number-invalid", f"{shortened(text)} is not a decimal number")
    value = Decimal(bare)
    if abs(value) >= _LARGEST:
        raise NotExact("number-out-of-range", f"{shortened(text)} is not between -10^18 and 10^18")
    return value


def plain(text: str | None) -> Decimal | None:
    """The number that a told text is, in the form that events may have it; None for all that is none, as if it weren't told."""
    if text is None or _NUMBER.fullmatch(text) is None:
        return None
    value = Decimal(text)
    return value if abs(value) < _LARGEST else None


def scaled(value: Decimal, scale: int) -> int:
    """In units of 10**-scale. Raises NotExact when digits would be lost or the size is out of range."""
    shifted = value.scaleb(scale, _EXACT)
    if abs(shifted) >= _LARGEST:
        raise NotExact(
            "number-out-of-range", f"{value} is not between -10^18 and 10^18 at {scale} decimal places"
        )
    whole = int(shifted)
    if whole != shifted:
        raise NotExact("number-not-exact", f"{value} has more than {scale} decimal places")
    return whole


def shortened(text: str) -> str:
    return text if len(text) <= _DIGITS else f"{text[:_DIGITS]}..."
