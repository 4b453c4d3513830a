"""Numbers out of JSON without a float in between."""

import re
from decimal import Context, Decimal

# Wide enough for any money and any count; beyond it, a sum could not be trusted to fit a bucket's cell.
_LARGEST = Decimal(10) ** 18
_DIGITS = 60
_NUMBER = re.compile(r"-?\d{1,60}(?:\.\d{1,60})?(?:[eE][+-]?\d{1,2})?")
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
    plain = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    if _NUMBER.fullmatch(plain) is None:
        raise NotExact("number-invalid", f"{shortened(text)} is not a decimal number")
    value = Decimal(plain)
    if abs(value) >= _LARGEST:
        raise NotExact("number-out-of-range", f"{shortened(text)} is not between -10^18 and 10^18")
    return value


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
