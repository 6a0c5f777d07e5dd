"""Unified social credit codes (GB 32100-2015) and citizen numbers (GB 11643-1999): check digits."""

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_MODULUS = 31
_LENGTH = 18
_CITIZEN_CHECKS = "10X98765432"


def check_digit(first: str) -> str:
    """The 18th character for the first 17; ValueError for a character outside the alphabet."""
    total = sum(
        _ALPHABET.index(char) * pow(3, at, _MODULUS) for at, char in enumerate(first[: _LENGTH - 1])
    )
    return _ALPHABET[-total % _MODULUS]


def is_uscc(code: str) -> bool:
    """Whether ``code`` is a unified social credit code with the right check digit."""
    if len(code) != _LENGTH or any(char not in _ALPHABET for char in code):
        return False
    return code[2:8].isdigit() and check_digit(code) == code[-1]


def is_citizen_number(number: str) -> bool:
    """Whether ``number`` is an 18-digit citizen number with the right check digit."""
    if len(number) != _LENGTH or not (number[:17].isascii() and number[:17].isdigit()):
        return False
    total = sum(int(digit) * pow(2, 17 - at, 11) for at, digit in enumerate(number[:17]))
    return _CITIZEN_CHECKS[total % 11] == number[17].upper()
