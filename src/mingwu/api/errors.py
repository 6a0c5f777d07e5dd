"""Texts of the errors that only the HTTP face raises."""

from mingwu.kernel.catalogue import add

add(
    "api.login-required",
    en=("This needs a login", "Log in at /login, or send a bearer token."),
    zh=("需要登录后才能访问", "请在 /login 登录，或在请求中携带令牌。"),
)
add(
    "api.role-required",
    en=("This needs the role {role}; yours is {have}", "Ask an administrator for the role."),
    zh=("需要 {role} 角色，您当前为 {have}", "请联系管理员授予该角色。"),
)
add(
    "api.must-change",
    en=("The first password must be changed before anything else", "Log in and choose a new one."),
    zh=("须先修改初始密码", "请登录后设置新密码。"),
)
add(
    "api.foreign-origin",
    en=("The request comes from another site ({origin})", "Open the console at its own address."),
    zh=("请求来自其他站点（{origin}）", "请通过控制台自身的地址访问。"),
)
add(
    "api.no-route",
    en=("There is nothing at {path}", "See /api/openapi.json for what there is."),
    zh=("{path} 不存在", "可用接口见 /api/openapi.json。"),
)
add(
    "api.method",
    en=("{method} is not offered at {path}", "See /api/openapi.json for what is."),
    zh=("{path} 不支持 {method}", "可用接口见 /api/openapi.json。"),
)
add(
    "api.body-too-large",
    en=("The body is larger than {limit} bytes", "Send it in parts."),
    zh=("请求体超过 {limit} 字节", "请分批发送。"),
)
add(
    "api.too-many-clients",
    en=("{limit} live connections are open already", "Close unused pages or try again later."),
    zh=("实时连接已达上限 {limit}", "请关闭不用的页面，或稍后重试。"),
)
add(
    "api.tag-unknown",
    en=("No tag {tag} is registered", "Look it up in the tag table."),
    zh=("没有注册点位 {tag}", "请在点位表中查找。"),
)
add(
    "api.window-empty",
    en=("The window ends at or before its start", "Choose an end after the start."),
    zh=("时间窗口的终点不晚于起点", "请选择晚于起点的终点。"),
)
add(
    "api.part-missing",
    en=("{part} is not running in this node", "Start it, or ask at the node that runs it."),
    zh=("本节点未运行 {part}", "请启动该部件，或访问运行它的节点。"),
)
add(
    "api.internal",
    en=("Something failed inside ({kind})", "Try again; the log of the node says more."),
    zh=("内部错误（{kind}）", "请重试；详细原因见节点日志。"),
)
add(
    "api.not-writable",
    en=("{tag} is read-only", "Declare it writable in the plant file if it should be."),
    zh=("{tag} 为只读点位", "如需下发，请在工厂文件中声明为可写。"),
)
add(
    "api.write-refused",
    en=("The device refused the value for {tag}: {reason}", "Check range and device mode."),
    zh=("设备拒绝写入 {tag}：{reason}", "请检查量程和设备模式。"),
)
add(
    "api.no-plant",
    en=("No plant was imported yet", "Import a plant file."),
    zh=("尚未导入工厂文件", "请先导入工厂文件。"),
)
add(
    "api.no-part",
    en=("No {role} named {name} was heard", "Check that it runs and reaches the bus."),
    zh=("未收到 {role} {name} 的状态", "请确认其正在运行并已接入总线。"),
)
add(
    "api.live-message",
    en=("The live socket does not take this: {fault}", "See docs: subscribe, unsubscribe."),
    zh=("实时通道无法识别该消息：{fault}", "可用消息为 subscribe 与 unsubscribe。"),
)
add(
    "api.port-taken",
    en=("Cannot listen on {host}:{port}: {fault}", "Free the port or set another in [console]."),
    zh=("无法监听 {host}:{port}：{fault}", "请释放该端口，或在 [console] 中更换端口。"),
)
