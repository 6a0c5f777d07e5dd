"""What can go wrong when a thing is marked or its mark is read, as sentences for people."""

from mingwu.kernel.catalogue import add

add(
    "marking.unsuitable",
    en=(
        "“{text}” cannot be written as {symbol}: {fault}",
        "Choose another symbol or shorter contents.",
    ),
    zh=("“{text}”无法写成 {symbol}：{fault}", "请换用其他码制或缩短内容。"),
)
add(
    "marking.no-contents",
    en=(
        "{name} has nothing to put into “{content}”: {fault}",
        "Choose other contents, or give the name what is missing.",
    ),
    zh=("{name} 没有可用于“{content}”的内容：{fault}", "请选择其他内容，或为该标识补充所缺信息。"),
)
add(
    "marking.template",
    en=("Label template {template}: {fault}", "Correct its measures; all are millimetres."),
    zh=("标签模板 {template}：{fault}", "请改正其尺寸，单位均为毫米。"),
)
add(
    "marking.no-template",
    en=("There is no label template “{template}”", "Known: {known}."),
    zh=("没有标签模板“{template}”", "可用的模板：{known}。"),
)
add(
    "marking.no-font",
    en=("The font file {file} cannot be read: {fault}", "Name a TrueType or OpenType font."),
    zh=("无法读取字体文件 {file}：{fault}", "请指定 TrueType 或 OpenType 字体。"),
)
add(
    "marking.too-small",
    en=(
        "{symbol} of {name} would have modules of {module} mm; the least is {least} mm",
        "Use a larger label, another symbol, or shorter contents.",
    ),
    zh=(
        "{name} 的 {symbol} 模块仅 {module} 毫米，最小为 {least} 毫米",
        "请使用更大的标签、其他码制或更短的内容。",
    ),
)
add(
    "marking.too-many",
    en=("{count} labels are more than {most} in one call", "Ask for them in several parts."),
    zh=("一次请求 {count} 张标签，超过上限 {most}", "请分几次请求。"),
)
add(
    "marking.image-too-large",
    en=("The picture is over {limit}", "Take it at a lower resolution, or cut it to the symbol."),
    zh=("图片超过 {limit}", "请降低拍摄分辨率，或裁剪到码的范围。"),
)
add(
    "marking.image-unreadable",
    en=("This is no picture that can be opened: {fault}", "Send PNG, JPEG, WebP, GIF or BMP."),
    zh=("无法打开该图片：{fault}", "请发送 PNG、JPEG、WebP、GIF 或 BMP。"),
)
add(
    "marking.busy",
    en=("Too many pictures are being read at once", "Try again in a few seconds."),
    zh=("同时识读的图片过多", "请几秒后重试。"),
)
