"""Words of the pages about names: a name's page, registration, filing, templates, scanning."""

TEXTS: dict[str, tuple[str, str]] = {
    # scanning
    "nav.scan": ("Scan", "扫码"),
    "scan.title": ("Scan a thing", "扫码识物"),
    "scan.lead": (
        "Point at the symbol on a machine, mould or part: its live page opens.",
        "对准设备、模具或零件上的码，即可打开其实时页面。",
    ),
    "scan.view": ("Camera picture", "摄像头画面"),
    "scan.idle": (
        "QR, Data Matrix and bar codes are read.",
        "可识读二维码、Data Matrix 与条形码。",
    ),
    "scan.start": ("Start the camera", "打开摄像头"),
    "scan.stop": ("Stop", "停止"),
    "scan.photo": ("Take or choose a photo", "拍照或选择图片"),
    "scan.type": ("Type it, or use a hand scanner", "手工输入或使用扫码枪"),
    "scan.type.hint": (
        "A name, a GS1 code, an OID, or the address in a QR code.",
        "标识、GS1 代码、OID 或二维码中的网址均可。",
    ),
    "scan.go": ("Open", "打开"),
    "scan.reading": ("Reading the picture…", "正在识读图片…"),
    "scan.nothing": ("No symbol was found in the picture", "图片中未找到码"),
    "scan.nothing.why": (
        "Go closer, hold still, avoid glare; the whole symbol with its light edge must be visible.",
        "请靠近并保持稳定，避免反光；码及其四周空白须完整可见。",
    ),
    "scan.insecure": (
        "The browser gives the camera only to pages opened over https.",
        "浏览器仅允许通过 https 打开的页面使用摄像头。",
    ),
    "scan.insecure.next": (
        "Take a photo instead, or ask for an https address of this console.",
        "请改用拍照，或向管理员索取本控制台的 https 地址。",
    ),
    "scan.denied": ("The camera was not allowed.", "未获得摄像头权限。"),
    "scan.denied.next": (
        "Allow it in the browser's settings for this page, or take a photo.",
        "请在浏览器的本页设置中允许使用，或改用拍照。",
    ),
    "scan.nocamera": ("There is no camera here.", "本机没有摄像头。"),
    "scan.nocamera.next": ("Choose a picture, or type the code.", "请选择图片或手工输入。"),
    "scan.camerabusy": ("The camera cannot be started.", "摄像头无法启动。"),
    "scan.camerabusy.next": (
        "Close other programs that use it and try again.",
        "请关闭占用摄像头的其他程序后重试。",
    ),
    "scan.typed": ("Typed", "手工输入"),
    "scan.text": ("Text", "文本"),
    "scan.unknown": ("Nothing here has this name", "此处没有该标识的对象"),
    "scan.unknown.next": (
        "Check the symbol, register the name, or give it to a thing as an alias.",
        "请核对该码，注册该标识，或将其设为某对象的别名。",
    ),
    "scan.elsewhere": ("See where it leads", "查看其解析去向"),
    "scan.register": ("Register this name", "注册该标识"),
    "scan.class": (
        "The class of the item; the item itself is not registered",
        "仅匹配到品类，该单品未注册",
    ),
    # labels
    "label.open": ("Label and symbol", "标签与码图"),
    "label.title": ("Label and symbol", "标签与码图"),
    "label.close": ("Close", "关闭"),
    "label.symbol": ("Symbol", "码制"),
    "label.rect": ("Data Matrix, rectangular", "Data Matrix 矩形"),
    "label.content": ("It says", "内容"),
    "label.auto": ("What suits the symbol", "自动选择"),
    "label.name": ("The identifier", "标识本身"),
    "label.url": ("Address of its page", "页面网址"),
    "label.vaa": ("Identifier with agency code VAA", "带发行机构代码 VAA 的标识"),
    "label.gs1": ("GS1 element string", "GS1 元素串"),
    "label.gs1link": ("GS1 Digital Link", "GS1 数字链接"),
    "label.module": ("Module, mm", "模块尺寸（毫米）"),
    "label.inverse": ("Inverse, for marks on dark metal", "反相，用于深色金属打标"),
    "label.drawing": ("The symbol alone; DXF is for lasers", "仅码图；DXF 用于激光打标"),
    "label.template": ("Printed label", "打印标签"),
}
