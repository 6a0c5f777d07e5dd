"""Words that the pages about nodes share: their entries in the menu, how a figure was counted."""

TEXTS: dict[str, tuple[str, str]] = {
    "nav.nodes": ("Identifier node", "标识节点运营"),
    "nav.applications": ("Prefix applications", "前缀申请与审核"),
    "nav.enterprises": ("Enterprises and nodes", "企业与企业节点"),
    "nav.usage": ("Resolution statistics", "解析统计"),
    "nav.duties": ("Duties upstream", "合规上报"),
    "save": ("Save", "保存"),
    "saved": ("Saved", "已保存"),
    "day": ("Day", "日期"),
    "lineage": ("How counted", "数据血缘"),
    "lineage.formula": ("Formula", "计算方法"),
    "lineage.window": ("Window", "统计区间"),
    "lineage.sample": ("Sample", "样本"),
    "lineage.source": ("Source", "来源"),
    "lineage.of": ("How “{label}” was counted", "“{label}”的数据血缘"),
}
