"""Money: whole minor units and a currency. No float ever touches an amount."""

CURRENCY = r"^[a-z]{3}$"
SIGNS = {"usd": "$", "eur": "€", "gbp": "£", "jpy": "¥"}
# How many decimals a currency has, where it isn't two; as Stripe counts them.
DECIMALS = {
    "bhd": 3, "bif": 0, "clp": 0, "djf": 0, "gnf": 0, "jod": 3, "jpy": 0, "kmf": 0, "krw": 0,
    "kwd": 3, "mga": 0, "omr": 3, "pyg": 0, "rwf": 0, "tnd": 3, "ugx": 0, "vnd": 0, "vuv": 0,
    "xaf": 0, "xof": 0, "xpf": 0,
}  # fmt: skip


def money(amount: int, currency: str) -> str:
    """An amount as people read it: `money(2900, "usd")` is `$29.00`."""
    decimals = DECIMALS.get(currency, 2)
    whole, rest = divmod(abs(amount), 10**decimals)
    figure = f"{whole:,}.{rest:0{decimals}}" if decimals else f"{whole:,}"
    minus = "-" if amount < 0 else ""
    sign = SIGNS.get(currency)
    return f"{minus}{sign}{figure}" if sign else f"{minus}{figure} {currency.upper()}"


def share(amount: int, part: int, whole: int) -> int:
    """That part of an amount, to the nearest minor unit: `share(2900, 10, 31)`."""
    return (2 * amount * part + whole) // (2 * whole)
