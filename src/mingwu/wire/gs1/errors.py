"""What can be wrong with a GS1 code, as sentences for people."""

from mingwu.kernel.catalogue import add

add(
    "gs1.unknown-ai",
    en=("“{ai}” is no GS1 application identifier", "Check the code, or the reader's settings."),
    zh=("“{ai}”不是 GS1 应用标识符", "请核对代码或识读设备的设置。"),
)
add(
    "gs1.format",
    en=("({ai}) {title}: “{value}” is not {format}", "Correct the value of this part."),
    zh=("({ai}) {title}：“{value}”不符合格式 {format}", "请改正该部分的值。"),
)
add(
    "gs1.check-digit",
    en=(
        "({ai}) {title}: the check digit of “{value}” must be {expected}",
        "Read or type the code again; one digit is wrong or two are swapped.",
    ),
    zh=(
        "({ai}) {title}：“{value}”的校验位应为 {expected}",
        "请重新识读或输入；有一位错误或两位颠倒。",
    ),
)
add(
    "gs1.date",
    en=("({ai}) {title}: “{value}” is no date YYMMDD", "Correct the date; day 00 is allowed."),
    zh=("({ai}) {title}：“{value}”不是 YYMMDD 日期", "请改正日期；日可以为 00。"),
)
add(
    "gs1.structure",
    en=("“{text}” is no GS1 code: {detail}", "See docs/formats/code-systems.md for the forms."),
    zh=("“{text}”不是 GS1 代码：{detail}", "各种形式见 docs/formats/code-systems.md。"),
)
add(
    "gs1.order",
    en=(
        "({ai}) may not follow ({key}) here",
        "Allowed after ({key}): {allowed}, in this order.",
    ),
    zh=("({ai}) 不能出现在 ({key}) 之后的此处", "({key}) 之后允许：{allowed}，按此顺序。"),
)
