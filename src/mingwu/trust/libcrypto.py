"""SM2 on the system's OpenSSL 3 (libcrypto) through ctypes.

``cryptography``'s own OpenSSL has no SM2; the distribution's has, and is kept patched by it.
Every object made here is freed here; the calls release the GIL. Keys are handed over as DER, so
no structure of OpenSSL is laid out by hand. Signing or verifying costs about 0.7 ms of CPU.
"""

import ctypes
import ctypes.util
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_size_t, c_ulong, c_void_p
from typing import Any

from mingwu.trust.sm2_formats import (
    POINT_BYTES,
    SCALAR_BYTES,
    cipher_from_der,
    cipher_to_der,
    private_der,
    public_der,
)

_NAMES = ("libcrypto.so.3", "libcrypto.3.dylib", "libcrypto-3-x64.dll")
_P, _I, _Z = c_void_p, c_int, c_size_t
_SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "OpenSSL_version_num": (c_ulong, ()),
    "ERR_clear_error": (None, ()),
    "EVP_sm3": (_P, ()),
    "d2i_PUBKEY": (_P, (_P, POINTER(c_char_p), c_long)),
    "d2i_AutoPrivateKey": (_P, (_P, POINTER(c_char_p), c_long)),
    "EVP_PKEY_get_octet_string_param": (_I, (_P, c_char_p, c_char_p, _Z, POINTER(_Z))),
    "EVP_PKEY_free": (None, (_P,)),
    "EVP_PKEY_CTX_new": (_P, (_P, _P)),
    "EVP_PKEY_CTX_free": (None, (_P,)),
    "EVP_PKEY_CTX_set1_id": (_I, (_P, c_char_p, _I)),
    "EVP_MD_CTX_new": (_P, ()),
    "EVP_MD_CTX_free": (None, (_P,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (_P, _P)),
    "EVP_DigestSignInit": (_I, (_P, _P, _P, _P, _P)),
    "EVP_DigestSign": (_I, (_P, c_char_p, POINTER(_Z), c_char_p, _Z)),
    "EVP_DigestVerifyInit": (_I, (_P, _P, _P, _P, _P)),
    "EVP_DigestVerify": (_I, (_P, c_char_p, _Z, c_char_p, _Z)),
    "EVP_PKEY_encrypt_init": (_I, (_P,)),
    "EVP_PKEY_encrypt": (_I, (_P, c_char_p, POINTER(_Z), c_char_p, _Z)),
    "EVP_PKEY_decrypt_init": (_I, (_P,)),
    "EVP_PKEY_decrypt": (_I, (_P, c_char_p, POINTER(_Z), c_char_p, _Z)),
}
_VERSION_3 = 0x30000000
_MAX_SIGNATURE_BYTES = 80
_PUBLIC_PARAM = b"pub"


def load() -> "Libcrypto | None":
    """The system's libcrypto if it is version 3 and knows SM2, else None."""
    for name in (*_NAMES, ctypes.util.find_library("crypto")):
        if not name:
            continue
        try:
            library = ctypes.CDLL(name)
            found = Libcrypto(library)
        except (OSError, AttributeError):  # not there, or too old to have a function we need
            continue
        if found.works():
            return found
    return None


class Libcrypto:
    """SM2 by OpenSSL; see ``sm2.Backend``."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._lib: Any = library
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype = result
            function.argtypes = arguments

    def works(self) -> bool:
        """Whether this is OpenSSL 3 with SM2 compiled in (some distributions leave it out)."""
        if self._lib.OpenSSL_version_num() < _VERSION_3:
            return False
        try:
            return len(self.public_point((1).to_bytes(SCALAR_BYTES))) == POINT_BYTES
        except ValueError:
            return False

    def public_point(self, scalar: bytes) -> bytes:
        with self._private(scalar) as key:
            point = ctypes.create_string_buffer(POINT_BYTES)
            length = c_size_t()
            self._check(
                self._lib.EVP_PKEY_get_octet_string_param(
                    key, _PUBLIC_PARAM, point, POINT_BYTES, byref(length)
                ),
                "no public key",
            )
            return point.raw[: length.value]

    def sign(self, scalar: bytes, point: bytes, message: bytes, signer: bytes) -> bytes:
        with self._private(scalar, point) as key, self._digest(key, signer) as digest:
            lib = self._lib
            ready = lib.EVP_DigestSignInit(digest, None, lib.EVP_sm3(), None, key)
            self._check(ready, "cannot sign")
            signature = ctypes.create_string_buffer(_MAX_SIGNATURE_BYTES)
            length = c_size_t(_MAX_SIGNATURE_BYTES)
            done = lib.EVP_DigestSign(digest, signature, byref(length), message, len(message))
            self._check(done, "cannot sign")
            return signature.raw[: length.value]

    def verify(self, point: bytes, message: bytes, signature: bytes, signer: bytes) -> bool:
        try:
            with self._public(point) as key, self._digest(key, signer) as digest:
                lib = self._lib
                ready = lib.EVP_DigestVerifyInit(digest, None, lib.EVP_sm3(), None, key)
                self._check(ready, "cannot verify")
                good = lib.EVP_DigestVerify(
                    digest, signature, len(signature), message, len(message)
                )
                lib.ERR_clear_error()
                return bool(good == 1)
        except ValueError:  # the point is not on the curve
            return False

    def encrypt(self, point: bytes, message: bytes) -> bytes:
        with self._public(point) as key, self._context(key) as context:
            self._check(self._lib.EVP_PKEY_encrypt_init(context), "cannot encrypt")
            return cipher_from_der(self._crypt(self._lib.EVP_PKEY_encrypt, context, message))

    def decrypt(self, scalar: bytes, ciphertext: bytes) -> bytes:
        with self._private(scalar) as key, self._context(key) as context:
            self._check(self._lib.EVP_PKEY_decrypt_init(context), "cannot decrypt")
            return self._crypt(self._lib.EVP_PKEY_decrypt, context, cipher_to_der(ciphertext))

    # ------------------------------------------------------------ inside

    def _crypt(self, function: Any, context: int, data: bytes) -> bytes:
        length = c_size_t()
        self._check(function(context, None, byref(length), data, len(data)), "bad input")
        output = ctypes.create_string_buffer(length.value)
        self._check(function(context, output, byref(length), data, len(data)), "bad input")
        return output.raw[: length.value]

    def _private(self, scalar: bytes, point: bytes = b"") -> Any:
        # RFC 5915 lets the public key be left out; OpenSSL then computes it.
        der = private_der(scalar, point)
        return self._key(self._lib.d2i_AutoPrivateKey, der, "not an SM2 private key")

    def _public(self, point: bytes) -> Any:
        return self._key(self._lib.d2i_PUBKEY, public_der(point), "not an SM2 public key")

    @contextmanager
    def _key(self, function: Any, der: bytes, fault: str) -> Iterator[int]:
        key = function(None, byref(c_char_p(der)), len(der))
        self._check(key, fault)
        try:
            yield key
        finally:
            self._lib.EVP_PKEY_free(key)

    @contextmanager
    def _context(self, key: int) -> Iterator[int]:
        context = self._lib.EVP_PKEY_CTX_new(key, None)
        self._check(context, "no context")
        try:
            yield context
        finally:
            self._lib.EVP_PKEY_CTX_free(context)

    @contextmanager
    def _digest(self, key: int, signer: bytes) -> Iterator[int]:
        with self._context(key) as context:
            named = self._lib.EVP_PKEY_CTX_set1_id(context, signer, len(signer))
            self._check(named > 0, "bad signer id")
            digest = self._lib.EVP_MD_CTX_new()
            try:
                self._lib.EVP_MD_CTX_set_pkey_ctx(digest, context)
                yield digest
            finally:
                self._lib.EVP_MD_CTX_free(digest)

    def _check(self, result: Any, fault: str) -> None:
        if not result or (isinstance(result, int) and result < 0):
            self._lib.ERR_clear_error()
            raise ValueError(fault)
