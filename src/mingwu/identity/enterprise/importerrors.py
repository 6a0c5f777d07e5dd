"""Error codes of imports, with their texts: files that are no table, refused rows, jobs."""

from mingwu.kernel.catalogue import add

# ---------------------------------------------------------------- files
add(
    "enterprise.table-empty",
    en=("The table is empty", "The first row names the columns, each further row is one name."),
    zh=("表格为空", "首行为列名，其后每行一个标识。"),
)
add(
    "enterprise.table-kind",
    en=("This is neither a CSV file nor a workbook (.xlsx)", "Save the table as .xlsx or CSV."),
    zh=("该文件不是 CSV，也不是 .xlsx 工作簿", "请将表格另存为 .xlsx 或 CSV。"),
)
add(
    "enterprise.table-old",
    en=(
        "This is an old workbook (.xls), or one with a password",
        "Save it as .xlsx without a password, or as CSV.",
    ),
    zh=("这是旧版工作簿（.xls）或带密码的工作簿", "请另存为无密码的 .xlsx 或 CSV。"),
)
add(
    "enterprise.table-encoding",
    en=(
        "The text is neither UTF-8, UTF-16 nor GB 18030 (byte {place})",
        "Save the file again as “CSV UTF-8”.",
    ),
    zh=("文本编码不是 UTF-8、UTF-16 或 GB 18030（第 {place} 字节）", "请另存为“CSV UTF-8”。"),
)
add(
    "enterprise.table-large",
    en=("The file is larger than {limit} bytes", "Split it, or read the data from a database."),
    zh=("文件超过 {limit} 字节", "请拆分文件，或改用数据库数据源。"),
)
add(
    "enterprise.table-unpacks",
    en=(
        "The workbook unpacks to {size} bytes ({ratio} times its size), more than is allowed",
        "Save it as CSV, or split it.",
    ),
    zh=("工作簿解压后为 {size} 字节（{ratio} 倍），超过允许值", "请另存为 CSV，或拆分文件。"),
)
add(
    "enterprise.table-broken",
    en=("The table breaks off at row {row}: {fault}", "Correct that row and choose it again."),
    zh=("表格在第 {row} 行中断：{fault}", "请改正该行后重新选择。"),
)
add(
    "enterprise.table-rows",
    en=("The table has more than {limit} rows", "Split it, or import it in parts."),
    zh=("表格超过 {limit} 行", "请拆分后分批导入。"),
)
add(
    "enterprise.table-head",
    en=("Row {row} names no columns", "Say which row holds the column names."),
    zh=("第 {row} 行没有列名", "请指定列名所在的行。"),
)
add(
    "enterprise.table-twice",
    en=("Column “{column}” stands twice in row {row}", "Give each column its own name."),
    zh=("第 {row} 行中列名“{column}”重复", "请为每一列使用不同的列名。"),
)
add(
    "enterprise.table-sheet",
    en=("There is no sheet “{sheet}”", "Choose one of: {sheets}."),
    zh=("没有工作表“{sheet}”", "请选择：{sheets}。"),
)
add(
    "enterprise.table-merged",
    en=(
        "Cells {cells} are merged; only the first of them has a value",
        "Unmerge them, fill each row, save, and choose the file again.",
    ),
    zh=("单元格 {cells} 已合并，只有第一个单元格有值", "请取消合并并逐行填写，保存后重新选择。"),
)
add(
    "enterprise.table-formula",
    en=(
        "Cell {cell} holds a formula without a stored result",
        "Open the file in a spreadsheet program and save it, or paste the values.",
    ),
    zh=("单元格 {cell} 的公式没有已计算的结果", "请用表格软件打开并保存，或粘贴为数值。"),
)
add(
    "enterprise.table-column",
    en=("The table has no column “{column}”", "Change the mapping; the columns are: {columns}."),
    zh=("表格中没有列“{column}”", "请修改映射，现有列：{columns}。"),
)
# ---------------------------------------------------------------- rows
add(
    "enterprise.name-cell",
    en=("Column “{column}”, part of the name, is empty", "Fill in the cell, or remove the row."),
    zh=("构成标识的列“{column}”为空", "请填写该单元格，或删除该行。"),
)
add(
    "enterprise.row-long",
    en=(
        "The row has {cells} cells, the table {columns} columns",
        "A separator in the text? Put the text in quotation marks.",
    ),
    zh=("该行有 {cells} 个单元格，表格只有 {columns} 列", "文本中若含分隔符，请加引号。"),
)
add(
    "enterprise.cell-error",
    en=("Cell {cell} holds the error {value}", "Correct the formula in that cell."),
    zh=("单元格 {cell} 的值为公式错误 {value}", "请改正该单元格的公式。"),
)
# ---------------------------------------------------------------- mappings and jobs
add(
    "enterprise.mapping-pattern",
    en=("The pattern “{pattern}” cannot be read", "Write columns in braces, as in {{serial}}."),
    zh=("无法识别模式“{pattern}”", "列名请写在花括号中，例如 {{serial}}。"),
)
add(
    "enterprise.mapping-item",
    en=("Template {template} has no item “{item}”", "Choose one of its items."),
    zh=("数据模板 {template} 没有属性“{item}”", "请选择模板中的属性。"),
)
add(
    "enterprise.upload-unknown",
    en=("There is no uploaded file {upload}", "Choose the file again; files are kept for days."),
    zh=("上传的文件 {upload} 不存在", "请重新选择文件，文件仅保留数日。"),
)
add(
    "enterprise.import-unknown",
    en=("There is no import {job}", "See the list of imports."),
    zh=("导入任务 {job} 不存在", "请查看导入记录。"),
)
add(
    "enterprise.imports-busy",
    en=("{count} imports are waiting already", "Wait until one has ended, or cancel one."),
    zh=("已有 {count} 个导入任务在等待", "请等待或取消其中一个。"),
)
add(
    "enterprise.import-alive",
    en=("Import {job} has not ended", "Wait for its end, or cancel it first."),
    zh=("导入任务 {job} 尚未结束", "请等待结束，或先取消。"),
)
add(
    "enterprise.import-over",
    en=("Import {job} has ended", "Run it again if it is needed."),
    zh=("导入任务 {job} 已结束", "如有需要请重新运行。"),
)
add(
    "enterprise.import-failed",
    en=("The import ended with an internal error", "See the log of the node, then run it again."),
    zh=("导入因内部错误中止", "请查看节点日志后重新运行。"),
)
