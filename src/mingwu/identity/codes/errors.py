"""Sentences about faults of codes; those of GS1 codes stand in ``wire.gs1.errors``."""

from mingwu.kernel.catalogue import add

add(
    "codes.vaa",
    en=(
        "“{text}” is no national identifier: {part} must be {rule}",
        "Write it as 88.INDUSTRY.ENTERPRISE/SUFFIX, e.g. 88.100.1/A1.",
    ),
    zh=("“{text}”不是国家标识：{part} 须为 {rule}", "请写成 88.行业.企业/后缀，例如 88.100.1/A1。"),
)
add(
    "codes.oid",
    en=("“{text}” is no object identifier: {detail}", "Write it as 1.2.156.… or /ISO/…"),
    zh=("“{text}”不是对象标识符：{detail}", "请写成 1.2.156.… 或 /ISO/…"),
)
add(
    "codes.ecode",
    en=(
        "“{text}” is no Ecode of version {version}: {part} must be {rule}",
        "Check version, system number and main code.",
    ),
    zh=(
        "“{text}”不是版本 {version} 的 Ecode：{part} 须为 {rule}",
        "请核对版本、编码体系标识和主码。",
    ),
)
add(
    "codes.did",
    en=("“{text}” is no identifier of did:{method}: {rule}", "Check the part behind the method."),
    zh=("“{text}”不是合法的 did:{method} 标识：{rule}", "请核对方法名之后的部分。"),
)
add(
    "codes.unknown",
    en=("“{text}” belongs to no known code system", "See docs/formats/code-systems.md."),
    zh=("“{text}”不属于任何已知编码体系", "见 docs/formats/code-systems.md。"),
)
