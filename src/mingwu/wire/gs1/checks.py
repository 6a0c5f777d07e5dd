"""Check digits and check characters of GS1 keys.

The digit (GS1 General Specifications §7.9.1): weights 3 and 1 from the right, up to the next ten.
The character pair of the Global Model Number (§7.9.5): weights are primes, modulo 1021, written
with 32 characters that cannot be mistaken for one another.
"""

# The 82 characters of ISO/IEC 646 that keys may contain, in their order; 39 of them for parts.
CSET_82 = "!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
_VALUES = {char: value for value, char in enumerate(CSET_82)}
_PAIR = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83)


def check_digit(digits: str) -> str:
    """The check digit behind ``digits`` (ASCII decimal digits without it)."""
    tripled = sum(map(int, digits[::-2]))
    plain = sum(map(int, digits[-2::-2]))
    return str(-(3 * tripled + plain) % 10)


def has_check_digit(digits: str) -> bool:
    """Whether the last digit is the check digit of those before."""
    return check_digit(digits[:-1]) == digits[-1]


def check_pair(text: str) -> str:
    """The two check characters behind ``text`` (at most 23 characters of CSET_82)."""
    weights = _PRIMES[: len(text)][::-1]
    total = sum(_VALUES[char] * weight for char, weight in zip(text, weights, strict=True)) % 1021
    return _PAIR[total >> 5] + _PAIR[total & 31]
