"""Error codes of aliases, with their texts."""

from mingwu.kernel.catalogue import add

add(
    "aliases.taken",
    en=("{alias} is an alias of {holder} already", "Remove it there first, or use another code."),
    zh=("{alias} 已是 {holder} 的别名", "请先在该处删除，或使用其他编码。"),
)
add(
    "aliases.full",
    en=("{name} has no room for another alias", "Remove one that is no longer used."),
    zh=("{name} 的别名已满", "请删除不再使用的别名。"),
)
add(
    "aliases.unknown",
    en=("{name} has no alias {alias}", "See the aliases of the name."),
    zh=("{name} 没有别名 {alias}", "请查看该名称的别名。"),
)
add(
    "oid-dns.port",
    en=("DNS for OIDs cannot listen on {place}: {fault}", "Choose another `oid_dns.port`."),
    zh=("OID 的 DNS 服务无法监听 {place}：{fault}", "请另选 `oid_dns.port`。"),
)
