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
