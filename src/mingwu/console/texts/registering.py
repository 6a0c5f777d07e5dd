"""Words of registration: the list of names, and forms made from data templates."""

TEXTS: dict[str, tuple[str, str]] = {
    # the list of names
    "names.lead": (
        "Names of this node's enterprises, made from data templates.",
        "本节点企业按数据模板注册的标识。",
    ),
    "names.search": ("Part of a name", "标识的一部分"),
    "names.state": ("State", "状态"),
    "names.prefix": ("Prefix", "前缀"),
    "names.alltemplates": ("All templates", "全部模板"),
    "names.allprefixes": ("All prefixes", "全部前缀"),
    "names.nomatch": ("No name matches", "没有符合条件的标识"),
    "names.nomatch.why": (
        "Choose another state or template, or clear the search.",
        "请更换状态或模板，或清空搜索。",
    ),
    "names.empty": ("Nothing is registered yet", "尚未注册标识"),
    "names.empty.why": (
        "Register a name with a template, or import a table.",
        "请按模板注册标识，或从表格导入。",
    ),
    "names.new": ("Register a name", "注册标识"),
    "names.register": ("Register", "注册"),
    "names.identifier": ("Identifier", "标识编码"),
    "names.name.hint": ("PREFIX/SUFFIX, at most 255 characters.", "前缀/后缀，最长 255 个字符。"),
    "names.missing": ("This must be filled in.", "此项必填。"),
    "names.wrongform": ("This does not have the right form.", "格式不正确。"),
    "names.faults": ("{n} things to correct", "有 {n} 处需要改正"),
    "names.draft": ("Only write it down", "仅存为草稿"),
    "names.draft.why": (
        "A draft does not resolve and may lack required items.",
        "草稿不可解析，必填项可暂缺。",
    ),
    "names.draft.do": ("Save the draft", "保存草稿"),
    "names.drafted": ("Draft saved", "草稿已保存"),
    "names.notemplate": ("No template is published", "没有已发布的模板"),
    "names.notemplate.why": (
        "A name is made from a template: publish one first.",
        "注册标识须使用模板，请先发布模板。",
    ),
    # forms made from templates
    "form.required": ("required", "必填"),
    "form.number": ("number", "数值"),
    "form.decimals": ("at most {n} decimals", "最多 {n} 位小数"),
    "form.identifier": ("identifier", "标识"),
    "form.length": ("{low} to {high} characters", "{low} 至 {high} 个字符"),
    "form.most": ("at most {n} characters", "最多 {n} 个字符"),
    "form.unique": ("unique", "唯一"),
}
