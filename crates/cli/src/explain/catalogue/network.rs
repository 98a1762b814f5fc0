//! How a connection is opened: name, TCP, proxy, TLS; and the same in other programs' words.

use super::{Entry, Words};

pub(super) const ENTRIES: &[Entry] = &[
    Entry {
        codes: &["dial_address"],
        texts: &["cannot be dialled"],
        zh: Words {
            meaning: "地址没有主机，或协议不是 http、https、ws、wss",
            remedy: "检查配置中的 `domain`",
        },
        en: Words {
            meaning: "the address has no host, or a scheme other than http, https, ws and wss",
            remedy: "check `domain` in the configuration",
        },
        page: "network.md#dial_address",
    },
    Entry {
        codes: &["dns_failed", "ENOTFOUND", "EAI_AGAIN"],
        texts: &[
            "getaddrinfo",
            "name or service not known",
            "temporary failure in name resolution",
            "nodename nor servname",
            "failed to lookup address",
            "could not resolve host",
            "does not resolve",
        ],
        zh: Words {
            meaning: "域名无法解析",
            remedy: "检查域名和本机的 DNS；需由代理解析时用 `http://` 或 `socks5h://` 代理",
        },
        en: Words {
            meaning: "the name does not resolve",
            remedy: "check the name and this machine's DNS servers; behind a proxy that resolves names, set it as `http://` or `socks5h://`",
        },
        page: "network.md#dns_failed",
    },
    Entry {
        codes: &["tcp_failed", "ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"],
        texts: &[
            "connection refused",
            "no route to host",
            "network is unreachable",
            "connect call failed",
            "cannot be reached; check route",
        ],
        zh: Words {
            meaning: "域名可解析，但没有地址接受连接：防火墙、没有路由，或只能经代理外出",
            remedy: "检查防火墙（需要出站 TCP 443）、路由、VPN，或设置 `network.proxy`",
        },
        en: Words {
            meaning: "the name resolves and no address accepts a connection: a firewall, no route, or no way out but a proxy",
            remedy: "look at firewall (outbound TCP 443), route and VPN, or set `network.proxy`",
        },
        page: "network.md#tcp_failed",
    },
    Entry {
        codes: &["dial_timeout", "ETIMEDOUT"],
        texts: &[
            "connect timeout",
            "connection timed out",
            "connecttimeouterror",
            "connecttimeout",
            "timed out while connecting",
            "stuck at tcp",
            "stuck at tls",
            "stuck at dns",
            "stuck at proxy",
            "no connection to",
        ],
        zh: Words {
            meaning: "建立连接超时；没有回音通常是防火墙丢弃了数据包",
            remedy: "放行出站 443，或设置 `network.proxy`；`larkline doctor` 显示停在哪一步",
        },
        en: Words {
            meaning: "opening the connection took too long; silence is usually a firewall that drops packets",
            remedy: "let outbound 443 through, or set `network.proxy`; `larkline doctor` shows at which step it stops",
        },
        page: "network.md#dial_timeout",
    },
    Entry {
        codes: &["proxy_unreachable"],
        texts: &[
            "proxyerror",
            "cannot connect to proxy",
            "unable to connect to proxy",
            "max retries exceeded with url",
            "cannot be reached; check its address",
        ],
        zh: Words {
            meaning: "代理本身无法连接",
            remedy: "检查代理地址；`proxy = \"none\"` 或 `larkline run --no-proxy` 忽略环境变量直接连接",
        },
        en: Words {
            meaning: "the proxy itself cannot be reached",
            remedy: "check its address; `proxy = \"none\"` or `larkline run --no-proxy` goes direct whatever the environment says",
        },
        page: "network.md#proxy_unreachable",
    },
    Entry {
        codes: &["proxy_auth"],
        texts: &[
            "http 407",
            "proxy authentication required",
            "407 proxy",
            "put the user and password into the proxy address",
            "check user and password in the proxy address",
        ],
        zh: Words {
            meaning: "代理要求用户名和密码，或拒绝了我们的（HTTP 407）",
            remedy: "写入代理地址，特殊字符做百分号编码：`http://user:p%40ss@host:3128`；只支持 Basic",
        },
        en: Words {
            meaning: "the proxy wants credentials, or refused ours (HTTP 407)",
            remedy: "put them into its address, special characters percent-encoded: `http://user:p%40ss@host:3128`; only Basic is spoken",
        },
        page: "network.md#proxy_auth",
    },
    Entry {
        codes: &["proxy_refused"],
        texts: &[
            "tunnel connection failed",
            "connect tunnel failed",
            "403 from proxy",
            "will not connect to",
        ],
        zh: Words {
            meaning: "代理拒绝连接平台的主机",
            remedy: "请代理管理者放行 `open.feishu.cn`（或 `open.larksuite.com`）及长连接主机的 443 端口，并允许长时间隧道",
        },
        en: Words {
            meaning: "the proxy will not connect to the platform's host",
            remedy: "ask who runs it to allow `open.feishu.cn` (or `open.larksuite.com`) and the long connection's host, port 443, and long tunnels",
        },
        page: "network.md#proxy_refused",
    },
    Entry {
        codes: &["proxy_protocol"],
        texts: &[
            "socks version",
            "unknown scheme for proxy",
            "invalid proxy",
            "check that the scheme of the proxy address",
        ],
        zh: Words {
            meaning: "应答者不是地址所写的那种代理", remedy: "检查代理的协议和端口"
        },
        en: Words {
            meaning: "what answered is not a proxy of the kind its address says",
            remedy: "check the scheme and the port",
        },
        page: "network.md#proxy_protocol",
    },
    Entry {
        codes: &[],
        texts: &[
            "python-socks is required",
            "install python_socks",
            "missing dependencies for socks support",
            "pysocks",
        ],
        zh: Words {
            meaning: "其他工具（Python 库）缺少 SOCKS 支持；larkline 内置 SOCKS5",
            remedy: "设置 `ALL_PROXY=socks5://host:port`（由代理解析域名用 `socks5h://`），无需安装任何东西",
        },
        en: Words {
            meaning: "another tool (a Python library) lacks SOCKS support; larkline has SOCKS5 built in",
            remedy: "set `ALL_PROXY=socks5://host:port` (`socks5h://` lets the proxy resolve names); nothing has to be installed",
        },
        page: "network.md#proxy_protocol",
    },
    Entry {
        codes: &[
            "tls_untrusted",
            "CERTIFICATE_VERIFY_FAILED",
            "SELF_SIGNED_CERT_IN_CHAIN",
            "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
            "DEPTH_ZERO_SELF_SIGNED_CERT",
        ],
        texts: &[
            "certificate verify failed",
            "self-signed certificate in certificate chain",
            "self signed certificate",
            "unable to get local issuer certificate",
            "unknownissuer",
            "unknown ca",
            "certificate signed by unknown authority",
            "issuer not trusted",
            "self-signed certificate in chain",
        ],
        zh: Words {
            meaning: "证书链的根证书不被本机信任，通常是公司代理或抓包工具（Clash、Charles 等）在途中",
            remedy: "把该 CA 装入系统证书库，或导出为 PEM 并写入 `network.ca_files`（或 `SSL_CERT_FILE`）；不能跳过校验",
        },
        en: Words {
            meaning: "the chain ends at an authority this machine does not know: usually an intercepting proxy (Clash, Charles, a company's) is on the way",
            remedy: "install its CA in the system's store, or export it as PEM and name it in `network.ca_files` (or `SSL_CERT_FILE`); verification cannot be skipped",
        },
        page: "network.md#tls_untrusted",
    },
    Entry {
        codes: &["tls_expired", "CERT_HAS_EXPIRED"],
        texts: &[
            "certificate has expired",
            "certificate is not yet valid",
            "certificate expired",
            "notvalidyet",
            "refused: expired",
            "refused: not valid yet",
        ],
        zh: Words {
            meaning: "证书已过期或尚未生效",
            remedy: "先检查本机时钟（timedatectl set-ntp true），再看服务器",
        },
        en: Words {
            meaning: "the certificate's time is over, or has not begun",
            remedy: "check this machine's clock first (timedatectl set-ntp true), then the server",
        },
        page: "network.md#tls_expired",
    },
    Entry {
        codes: &["tls_hostname", "ERR_TLS_CERT_ALTNAME_INVALID"],
        texts: &[
            "hostname mismatch",
            "doesn't match",
            "notvalidforname",
            "certificate is not valid for",
            "hostname does not match",
        ],
        zh: Words {
            meaning: "证书属于别的域名：地址写错，或途中有设备代为应答",
            remedy: "检查 `domain`，以及登录页、DNS 劫持、代理",
        },
        en: Words {
            meaning: "the certificate is for other names: a wrong address, or something on the way that answers for it",
            remedy: "check `domain`, and look for a login page, a rewritten DNS answer, a proxy",
        },
        page: "network.md#tls_hostname",
    },
    Entry {
        codes: &["tls_certificate"],
        texts: &[
            "causedascaentity",
            "ca used as end entity",
            "bad certificate",
            "a self-signed authority is used",
        ],
        zh: Words {
            meaning: "证书因其他原因被拒绝；常见的是服务器直接用自签 CA 作为自己的证书",
            remedy: "用该 CA 签发一张服务器证书",
        },
        en: Words {
            meaning: "the certificate is refused for another reason; often a server presents a lone self-signed authority as its own",
            remedy: "issue a server certificate from that authority",
        },
        page: "network.md#tls_certificate",
    },
    Entry {
        codes: &["tls_failed"],
        texts: &[
            "ssl handshake",
            "handshake failure",
            "wrong version number",
            "tlsv1 alert",
            "eof occurred in violation of protocol",
            "handshakefailure",
            "a firewall or a plain-text port may be",
        ],
        zh: Words {
            meaning: "TLS 握手中断，与证书无关：明文端口、低于 TLS 1.2 的协议，或按域名拦截的防火墙",
            remedy: "检查端口和代理协议；换一个网络（手机热点）试一次",
        },
        en: Words {
            meaning: "the handshake broke off without a judgement on a certificate: a plain-text port, an old protocol, or a firewall that reads the name",
            remedy: "check the port and the proxy's scheme; try another network once (a phone's hotspot)",
        },
        page: "network.md#tls_failed",
    },
    Entry {
        codes: &[],
        texts: &[
            "curl -i https://open.feishu.cn",
            "curl -i https://open.larksuite.com",
            "connectivity check",
        ],
        zh: Words {
            meaning: "用 HTTPS 访问平台首页：任何 HTTP 应答都说明网络可达",
            remedy: "`larkline doctor` 的 http 行做同样的事，走与网关相同的代理和证书",
        },
        en: Words {
            meaning: "asks the platform's front page over HTTPS: any HTTP answer means that it is reachable",
            remedy: "the line http of `larkline doctor` does the same, by the gateway's own proxy and certificates",
        },
        page: "network.md",
    },
];
