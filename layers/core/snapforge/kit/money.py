"""Money: integer minor units and a currency from one exponent table. Credits are plain integers. Never a float."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

EXPONENTS = {"EUR": 2, "USD": 2, "GBP": 2, "JPY": 0}


@dataclass(frozen=True, slots=True)
class Money:
    """`amount` minor units of `currency` (ISO 4217, a key of EXPONENTS)."""

    amount: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount) is not int:
            raise TypeError("minor units are integers")
        if self.currency not in EXPONENTS:
            raise ValueError(f"unknown currency {self.currency!r}; known: {', '.join(EXPONENTS)}")


def parse(text: str, currency: str) -> Money:
    """`parse("19.99", "EUR")` → 1999 cents. ValueError: too many digits, or no decimal."""
    exponent = EXPONENTS[currency]
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is no amount") from error
    scaled = value.scaleb(exponent)
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(f"{currency} has {exponent} decimal digits; {text!r} has more")
    return Money(int(scaled), currency)
