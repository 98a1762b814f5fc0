//! The gateway itself: store, process, start, and what its command line says.

use super::{Entry, Words};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        codes: &["store_full", "ENOSPC"],
        texts: &["no space left on device", "database or disk is full", "disk full"],
        zh: Words {
            meaning: "磁盘已满，或达到 `store.size_max`；期间什么都不确认，平台会再推送",
            remedy: "释放空间或调大上限；正在运行的网关无需重启即可恢复",
        },
        en: Words {
            meaning: "the disk is full, or `store.size_max` is reached; nothing is acknowledged meanwhile, the platform sends it again",
            remedy: "make room or raise the limit; a gateway that runs heals without a restart",
        },
        page: "store.md#store_full",
    },
    Entry {
        codes: &["store_read_only", "EROFS"],
        texts: &["read-only file system", "attempt to write a readonly database"],
        zh: Words {
            meaning: "文件、目录或文件系统变为只读，常因 I/O 错误",
            remedy: "先看 `dmesg` 再重新挂载，或恢复写权限",
        },
        en: Words {
            meaning: "the file, its folder or the file system became read-only, often after an I/O error",
            remedy: "look into `dmesg` before you remount it, or give write permission back",
        },
        page: "store.md#store_read_only",
    },
    Entry {
        codes: &["store_corrupt"],
        texts: &["database disk image is malformed", "file is not a database"],
        zh: Words {
            meaning: "文件不是数据库，或校验失败；已原样保留",
            remedy: "先备份，再恢复备份，或移走 larkline.db、-wal、-shm 以空库启动",
        },
        en: Words {
            meaning: "the file is not a database, or fails its own checks; it is left as it is",
            remedy: "keep a copy, then restore a backup, or move larkline.db, -wal and -shm away to start empty",
        },
        page: "store.md#store_corrupt",
    },
    Entry {
        codes: &["store_newer"],
        texts: &[],
        zh: Words {
            meaning: "文件由更新版本的 larkline 写入",
            remedy: "装回更新的版本，或恢复升级前的备份",
        },
        en: Words {
            meaning: "a newer larkline wrote the file",
            remedy: "install the newer version again, or restore the backup from before the upgrade",
        },
        page: "store.md#store_newer",
    },
    Entry {
        codes: &["store_io", "EIO"],
        texts: &["input/output error", "disk i/o error"],
        zh: Words {
            meaning: "磁盘或数据库以其他方式失败",
            remedy: "消息说明在做什么时；检查磁盘和目录",
        },
        en: Words {
            meaning: "the disk or the database failed otherwise",
            remedy: "the message says during what; look at disk and folder",
        },
        page: "store.md#store_io",
    },
    Entry {
        codes: &[],
        texts: &["database is locked"],
        zh: Words {
            meaning: "另一个程序锁住了数据库",
            remedy: "停止直接打开 larkline.db 的程序；用 `larkline messages` 查看",
        },
        en: Words {
            meaning: "another program has locked the database",
            remedy: "stop what opens larkline.db directly; look with `larkline messages`",
        },
        page: "store.md",
    },
    Entry {
        codes: &["lease_lost"],
        texts: &[],
        zh: Words {
            meaning: "工作超过租约，已另行分配，迟来的结果被丢弃",
            remedy: "偶尔无害；很多说明机器休眠或磁盘停顿",
        },
        en: Words {
            meaning: "work took longer than its lease and was given out again; the late result is dropped",
            remedy: "one is harmless; many mean that the machine sleeps or the disk stalls",
        },
        page: "store.md#lease_lost",
    },
    Entry {
        codes: &["session_step", "session_unknown"],
        texts: &[],
        zh: Words {
            meaning: "对话不在允许此操作的状态，或编号不存在",
            remedy: "等这一轮结束或停止它；`larkline sessions` 列出编号",
        },
        en: Words {
            meaning: "a conversation is in no state for this, or its number does not exist",
            remedy: "wait for the turn to end or stop it; `larkline sessions` lists the numbers",
        },
        page: "store.md#session_step",
    },
    Entry {
        codes: &["store_closed"],
        texts: &[],
        zh: Words {
            meaning: "停止末尾的调用，存储已关闭；停止时无害", remedy: "其他时候请报告"
        },
        en: Words {
            meaning: "a call came after the store was closed; harmless at the end of a stop",
            remedy: "report it anywhere else",
        },
        page: "store.md#store_closed",
    },
    Entry {
        codes: &["crash_loop"],
        texts: &["start request repeated too quickly", "start-limit-hit"],
        zh: Words {
            meaning: "网关反复启动（10 分钟内 5 次，`alerts.boots`）",
            remedy: "看启动前的日志和服务管理器的日志：内存上限太小、凭据被拒（退出码 3）、磁盘已满",
        },
        en: Words {
            meaning: "the gateway is started again and again (`alerts.boots` within `alerts.boots_within`)",
            remedy: "look at the log before each start and the service manager's: a memory limit too small, refused credentials (exit code 3), a full disk",
        },
        page: "process.md#crash_loop",
    },
    Entry {
        codes: &["dashboard_login"],
        texts: &["somebody showed a wrong token"],
        zh: Words {
            meaning: "有人出示了错误的令牌：在控制台的登录页，或用 `Authorization: Bearer`",
            remedy: "偶尔一次是输错；很多次时，检查谁能访问监听地址，只监听本机，或放在会限速的代理之后",
        },
        en: Words {
            meaning: "somebody showed a token that is not the one of `[server]`: at the login, or as `Authorization: Bearer`",
            remedy: "one is a typing error; of many, see who reaches the listener: keep it on loopback, or behind a proxy that limits",
        },
        page: "process.md#dashboard_login",
    },
    Entry {
        codes: &["dashboard_template"],
        texts: &["a page of the dashboard fails"],
        zh: Words {
            meaning: "控制台的页面无法生成，这是 larkline 的错误；消息不受影响",
            remedy: "暂时使用 `larkline status`，并报告这行日志",
        },
        en: Words {
            meaning: "a page of the dashboard could not be made, a mistake in larkline; messages are not affected",
            remedy: "use `larkline status` meanwhile, and report the line",
        },
        page: "process.md#dashboard_template",
    },
    Entry {
        codes: &["high_memory"],
        texts: &[],
        zh: Words {
            meaning: "网关或子进程的内存超过 `alerts.memory`",
            remedy: "`larkline status` 显示谁在用；设置处理器的 `memory`，或调高阈值",
        },
        en: Words {
            meaning: "the gateway or a child has used more memory than `alerts.memory`",
            remedy: "`larkline status` shows who; set `memory` in the handler's limits, or raise the threshold",
        },
        page: "process.md#high_memory",
    },
    Entry {
        codes: &["high_cpu"],
        texts: &[],
        zh: Words {
            meaning: "网关或子进程占用处理器过多",
            remedy: "`larkline status` 显示谁在用；设置处理器的 `cpu`",
        },
        en: Words {
            meaning: "the gateway or a child uses too much of the processor",
            remedy: "`larkline status` shows who; set `cpu` in the handler's limits",
        },
        page: "process.md#high_cpu",
    },
    Entry {
        codes: &["open_files", "EMFILE"],
        texts: &["too many open files"],
        zh: Words {
            meaning: "文件描述符用尽",
            remedy: "提高上限（LimitNOFILE=4096，或 ulimit -n）；`larkline doctor` 显示用量",
        },
        en: Words {
            meaning: "the file descriptors are used up",
            remedy: "raise the limit (LimitNOFILE=4096, or ulimit -n); `larkline doctor` shows the use",
        },
        page: "process.md#open_files",
    },
    Entry {
        codes: &["EADDRINUSE"],
        texts: &["address already in use", "cannot listen on"],
        zh: Words {
            meaning: "端口已被占用", remedy: "换一个地址，或停止占用它的程序"
        },
        en: Words {
            meaning: "the port is taken",
            remedy: "choose another address, or stop what uses it",
        },
        page: "process.md",
    },
    Entry {
        codes: &[],
        texts: &["no gateway listens on"],
        zh: Words {
            meaning: "没有网关在运行，或用了另一个状态目录",
            remedy: "用 `larkline run` 启动；或用 `--config` 指定同一份配置",
        },
        en: Words {
            meaning: "no gateway runs, or it uses another state directory",
            remedy: "start one with `larkline run`, or name the same configuration with --config",
        },
        page: "process.md",
    },
    Entry {
        codes: &[],
        texts: &["a gateway of another configuration"],
        zh: Words {
            meaning: "在这个套接字上应答的是另一个机器人的网关：两份配置用了同一个状态目录",
            remedy: "为这份配置单独设置 `store.path`；若只是改了 app_id，则停止那个进程后重新启动",
        },
        en: Words {
            meaning: "another bot's gateway answers at this socket: two configurations have one state directory",
            remedy: "give this configuration a `store.path` of its own; if only its app_id was changed, stop that process and start it again",
        },
        page: "process.md",
    },
    Entry {
        codes: &[],
        texts: &["is closed to this user"],
        zh: Words {
            meaning: "目录属于另一个用户，因此不知道其中是否有网关在运行",
            remedy: "以该用户或 root 运行此命令",
        },
        en: Words {
            meaning: "the directory is another user's, so whether a gateway runs there is not known",
            remedy: "run the command as that user, or as root",
        },
        page: "process.md",
    },
    Entry {
        codes: &[],
        texts: &["the gateway did not answer"],
        zh: Words {
            meaning: "网关的套接字有人监听，但没有应答",
            remedy: "`larkline doctor` 查看；查看网关日志",
        },
        en: Words {
            meaning: "the gateway's socket has a listener that does not answer",
            remedy: "look with `larkline doctor`, and into the gateway's log",
        },
        page: "process.md",
    },
    Entry {
        codes: &[],
        texts: &["cannot open the store"],
        zh: Words {
            meaning: "数据库无法打开，下一行是原因",
            remedy: "按原因处理；目录要属于运行网关的用户",
        },
        en: Words {
            meaning: "the database cannot be opened, the next line says why",
            remedy: "follow that; the folder has to belong to the gateway's user",
        },
        page: "store.md",
    },
    Entry {
        codes: &[],
        texts: &["cannot use the state directory"],
        zh: Words {
            meaning: "状态目录无法创建或写入", remedy: "把 `store.path` 设为可写的目录"
        },
        en: Words {
            meaning: "the state directory cannot be made or written",
            remedy: "set `store.path` to one you may write to",
        },
        page: "store.md",
    },
    Entry {
        codes: &[],
        texts: &["the platform refuses app"],
        zh: Words {
            meaning: "平台拒绝了应用的凭据（退出码 3）",
            remedy: "核对后台的 app_id 和 app_secret，以及 `domain`",
        },
        en: Words {
            meaning: "the platform refuses the app's credentials (exit code 3)",
            remedy: "check app_id and app_secret in the console, and `domain`",
        },
        page: "api.md#platform-codes",
    },
    Entry {
        codes: &[],
        texts: &["no verified link within the start-up deadline"],
        zh: Words {
            meaning: "在启动时限内没有建立已验证的连接（`--wait`）",
            remedy: "运行 `larkline doctor` 查看原因",
        },
        en: Words {
            meaning: "there was no verified link within the start-up deadline (`--wait`)",
            remedy: "run `larkline doctor` to see why",
        },
        page: "link.md",
    },
    Entry {
        codes: &[],
        texts: &["is in use by process", "another instance of the app", "is already running"],
        zh: Words {
            meaning: "另一个进程占有这个应用，或占有这个状态目录",
            remedy: "停止它，或用 `larkline run --takeover` 接替；若它是另一个机器人，请给每个机器人各自的 `store.path`",
        },
        en: Words {
            meaning: "another process has the app, or the state directory",
            remedy: "stop it, or replace it with `larkline run --takeover`; if it is another bot, give each a `store.path` of its own",
        },
        page: "process.md",
    },
    Entry {
        codes: &[],
        texts: &["settings cannot be used", "limits cannot be used", "cannot be used; see"],
        zh: Words {
            meaning: "配置中的设置互相矛盾或无法使用",
            remedy: "`larkline config check` 指出是哪一项",
        },
        en: Words {
            meaning: "settings of the configuration cannot be used",
            remedy: "`larkline config check` names them",
        },
        page: "process.md",
    },
    Entry {
        codes: &[],
        texts: &["a vital worker ended"],
        zh: Words {
            meaning: "网关的关键部分结束，进程随之停止",
            remedy: "查看日志；服务管理器会重新启动它",
        },
        en: Words {
            meaning: "a vital part of the gateway ended, and the process with it",
            remedy: "look into the log; the service manager starts it anew",
        },
        page: "process.md",
    },
];
