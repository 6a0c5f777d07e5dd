"""A data template as a file: JSON of our own form, written; that and the SNMS form, read.

Our form is an envelope with ``format`` and ``edition`` around the whole definition, so nothing is
lost between two nodes (``docs/formats/data-template.md``). A reader may give the template another
prefix or version; a handle under a foreign prefix is then made anew.
"""

from typing import Any, Literal

import msgspec

from mingwu.identity.enterprise.model import Template, TemplateDef
from mingwu.identity.enterprise.templates import snmsform
from mingwu.kernel.causes import told
from mingwu.kernel.errors import InvalidInput
from mingwu.kernel.names import fold

FORMAT = "mingwu.data-template"
EDITION = 1


class TemplateFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The envelope. ``state`` and ``revision`` say where it was taken from; readers ignore them."""

    format: Literal["mingwu.data-template"]
    edition: Literal[1]
    state: str = ""
    revision: int = 0
    definition: TemplateDef


def dump(template: Template) -> bytes:
    """The file of a template, for people to read, too."""
    file = TemplateFile(
        format="mingwu.data-template",
        edition=1,
        state=template.state.value,
        revision=template.revision,
        definition=template.definition,
    )
    return msgspec.json.format(msgspec.json.encode(file), indent=2) + b"\n"


def dump_snms(template: Template) -> bytes:
    """The same in the form of the deployed systems."""
    data = msgspec.json.encode(snmsform.shown(template))
    return msgspec.json.format(data, indent=2) + b"\n"


def read(data: bytes, *, prefix: str = "", version: str = "") -> TemplateDef:
    """The definition in a file; InvalidInput ``enterprise.template-file`` when it is none.

    ``prefix`` and ``version`` replace those of the file.
    """
    definition = _read(data)
    changed: dict[str, Any] = {}
    if prefix and fold(prefix) != fold(definition.prefix):
        changed |= {"prefix": prefix, "handle": ""}
    if version and version != definition.version:
        changed |= {"version": version, "handle": ""}
    try:  # replace() does not check limits; this does
        plain = msgspec.to_builtins(msgspec.structs.replace(definition, **changed))
        return msgspec.convert(plain, TemplateDef)
    except msgspec.ValidationError as error:
        raise InvalidInput("enterprise.template-file", fault=told(error)) from error


def _read(data: bytes) -> TemplateDef:
    try:
        outline = msgspec.json.decode(data)
        if isinstance(outline, dict) and "format" in outline:
            return msgspec.json.decode(data, type=TemplateFile).definition
        # numbers come as text from deployed systems
        body = msgspec.json.decode(data, type=snmsform.TemplateBody, strict=False)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InvalidInput("enterprise.template-file", fault=told(error)) from error
    try:
        return snmsform.definition_of(body, ())
    except InvalidInput as error:
        fault = error.params.get("fault", error)
        raise InvalidInput("enterprise.template-file", fault=fault) from error
