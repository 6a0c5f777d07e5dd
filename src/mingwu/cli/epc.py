"""``mingwu epc encode|decode``: what an RFID tag carries, from and to keys, URIs and hex.

``encode`` takes a GS1 element string, a Digital Link URI, a tag or pure identity URI, or a name
under 88. or 86.; ``decode`` the hex of EPC memory, with ``--pc`` for tags that hold no EPC.
"""

import argparse
import json
from typing import Any

from mingwu.identity.codes.recognition import recognise
from mingwu.kernel.errors import InvalidInput
from mingwu.wire.epc import binary, memory
from mingwu.wire.epc.schemes import ALL_NAMES, SCHEMES
from mingwu.wire.gs1 import link
from mingwu.wire.gs1.elements import Elements, parse, written


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=["encode", "decode"])
    parser.add_argument("text", help="key, URI or name to encode; hex to decode")
    parser.add_argument("--scheme", default="", help=f"one of {', '.join(ALL_NAMES)}")
    parser.add_argument("--prefix-digits", type=int, default=0, help="of the GS1 company prefix")
    parser.add_argument("--filter", type=int, default=0, help="filter value, 0 to 7")
    parser.add_argument("--date", default="", help="of dsgtin+: AI=YYMMDD, e.g. 17=271231")
    parser.add_argument("--pc", default="", help="PC word of a tag without an EPC")
    parser.add_argument("--user", action="store_true", help="a name in user memory")


def run(arguments: argparse.Namespace) -> int:
    """Print what is carried as JSON."""
    found = _encode(arguments) if arguments.action == "encode" else _decode(arguments)
    print(json.dumps(found, ensure_ascii=False, indent=2))
    return 0


def _encode(arguments: argparse.Namespace) -> dict[str, Any]:
    text = arguments.text
    if arguments.user:
        return {"user": memory.user_record(text), "form": "own"}
    if text.startswith("urn:epc:"):
        scheme = arguments.scheme or ("" if ":tag:" in text else f"{text.split(':')[3]}-96")
        found = binary.encode_uri(text, scheme=scheme, filter_value=arguments.filter)
        return _shown(found)
    code = recognise(text)
    if code is not None and code.system == "vaa":
        uii = memory.national_uii(code.canonical)
        return {"pc": uii.pc, "epc": uii.words, "form": "own, modelled on ISO 17367"}
    elements = _elements(text)
    scheme = arguments.scheme or binary.suggest(elements)
    ai, _, day = arguments.date.partition("=")
    if scheme in SCHEMES and not arguments.prefix_digits:
        raise InvalidInput("epc.prefix-needed", scheme=scheme)
    return _shown(
        binary.encode(
            scheme,
            elements,
            prefix_digits=arguments.prefix_digits,
            filter_value=arguments.filter,
            date=(ai, day) if ai else None,
        )
    )


def _elements(text: str) -> Elements:
    if text[:4].lower() == "http":
        found = link.parse_uri(text)
        return (*found.entity, *found.attributes)
    return parse(text)


def _decode(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.user:
        return {"name": memory.read_user_record(arguments.text), "form": "own"}
    if arguments.pc:
        name = memory.read_national_uii(arguments.pc, arguments.text)
        return {"name": name, "form": "own, modelled on ISO 17367"}
    return _shown(arguments.text)


def _shown(hexadecimal: str) -> dict[str, Any]:
    epc = binary.decode(hexadecimal)
    words = len("".join(hexadecimal.split())) // 4
    found: dict[str, Any] = {"scheme": epc.scheme, "epc": hexadecimal.upper()}
    found["pc"] = memory.pc_word(words)
    found["filter"] = epc.filter_value
    if epc.identity is not None:
        found["pure_identity"] = epc.identity.uri
        found["tag_uri"] = epc.tag_uri
    if epc.elements:
        dated = (*epc.elements, *((epc.date,) if epc.date else ()))
        found["elements"] = written(dated)
        found["digital_link"] = link.from_elements(dated).uri
    if epc.rest:
        found["behind_epc_bits"] = epc.rest
    return found
