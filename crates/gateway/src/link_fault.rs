//! Why a link was lost, or does not come up, in Chinese. The English words are those of the fault
//! itself, which the log has.

use larkline_proto::link::{Cause, Fault};

use crate::both::Both;
use crate::status::LinkView;
use crate::words::Lang;

/// A fault by its code, and in English as it stands; so is a code of another version.
pub fn said(lang: Lang, code: &str, number: Option<i64>, english: &str) -> String {
    match (lang, Cause::of_code(code).map(chinese)) {
        (Lang::En, _) | (Lang::Zh, None) => english.to_owned(),
        (Lang::Zh, Some(chinese)) => match number {
            Some(number) => format!("{chinese}（编号 {number}）"),
            None => chinese.to_owned(),
        },
    }
}

/// A fault for somebody who sees nothing else of it: what it means, with the words of whoever met it.
pub fn in_full(fault: &Fault) -> Both {
    let english = fault.to_string();
    Both::each(|lang| with_words(lang, fault.cause.code(), fault.platform_code, &english))
}

fn with_words(lang: Lang, code: &str, number: Option<i64>, english: &str) -> String {
    let said = said(lang, code, number, english);
    if said == english { said } else { format!("{said}（{english}）") }
}

impl LinkView {
    /// What went wrong last, in one sentence.
    pub fn fault_said(&self, lang: Lang) -> Option<String> {
        let (code, number) = self.fault_code.clone().unwrap_or_default();
        Some(said(lang, &code, number, self.fault.as_ref()?))
    }

    /// The same for somebody who sees nothing else of it.
    pub fn fault_in_full(&self, lang: Lang) -> Option<String> {
        let (code, number) = self.fault_code.clone().unwrap_or_default();
        Some(with_words(lang, &code, number, self.fault.as_ref()?))
    }
}

/// What a cause means.
fn chinese(cause: Cause) -> &'static str {
    match cause {
        Cause::Network => "连接中途断开：被重置，或途中的路由、代理消失了",
        Cause::Silent => "ping 没有在时限内得到应答",
        Cause::Closed => "平台关闭了连接",
        Cause::Unverified => "升级成功，但没有等到任何帧：代理可能扣住了它们",
        Cause::Timeout => "没有在时限内连上：请检查防火墙和代理",
        Cause::Refused => "平台拒绝了连接：请用 `larkline explain` 查看编号的含义",
        Cause::BadReply => "获取地址的应答中没有可用的地址：请检查 `domain` 和代理",
        Cause::Requested => "有人要求新连接",
        Cause::ConnectFailed => "到平台的 HTTP 连接没有打开：请运行 `larkline doctor`",
        Cause::ConnectionBroken => "应答还没有收全，连接就断开了",
        Cause::BadRequest => "无法写出获取地址的请求：这是 larkline 的错误，请报告",
        Cause::UpgradeFailed => "对升级请求的应答不是 WebSocket：请让代理放行 WebSocket",
        Cause::WebSocket => "对端违反了 WebSocket 协议：途中可能有设备改动了内容",
        Cause::FrameTooLarge => "收到的消息过大，平台不会发送这么大的：请报告",
        Cause::PeerNotReading => "确认发不出去：平台或代理停止了读取",
        Cause::DialAddress => "地址没有主机，或协议不受支持：请检查 `domain`",
        Cause::DnsFailed => "域名无法解析：请检查域名和本机的 DNS",
        Cause::TcpFailed => "没有地址接受连接：请检查防火墙、路由，或设置 `network.proxy`",
        Cause::OpenFiles => "文件描述符用尽：请提高上限（LimitNOFILE=4096，或 ulimit -n）",
        Cause::DialTimeout => "建立连接超时：请放行出站 443 端口，或设置 `network.proxy`",
        Cause::ProxyUnreachable => "无法连接代理：请检查代理的地址",
        Cause::ProxyAuth => "代理要求用户名和密码，或不接受现有的：请写入代理地址",
        Cause::ProxyRefused => "代理拒绝连接平台：请代理的管理者放行平台的主机",
        Cause::ProxyProtocol => "代理不是其地址所写的那种：请检查代理的协议和端口",
        Cause::TlsUntrusted => "证书的根不被本机信任：请把该 CA 写入 `network.ca_files`",
        Cause::TlsExpired => "证书已过期或尚未生效：请先检查本机的时钟",
        Cause::TlsHostname => "证书属于别的域名：请检查 `domain` 和代理",
        Cause::TlsCertificate => "证书被拒绝：请运行 `larkline doctor` 查看原因",
        Cause::TlsFailed => "TLS 握手失败：请检查端口、代理和防火墙",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_in_chinese_and_one_that_is_not_known_as_it_is() {
        let english = "open: the platform closed the link with code 1006 \"\"";
        let told = |lang, code| said(lang, code, Some(1006), english);
        assert_eq!(told(Lang::Zh, "closed"), "平台关闭了连接（编号 1006）");
        assert_eq!([told(Lang::En, "closed"), told(Lang::Zh, "new")], [english, english]);
    }

    /// That each has a sentence holds by itself: without one, it does not compile.
    #[test]
    fn each_cause_is_known_by_its_code_and_told_in_words_of_its_own() {
        let mut said: Vec<String> = Vec::new();
        for cause in Cause::ALL {
            assert_eq!(Cause::of_code(cause.code()), Some(*cause));
            let told = super::said(Lang::Zh, cause.code(), None, "english");
            assert!(told != "english" && !said.contains(&told), "{cause:?}: {told}");
            said.push(told);
        }
    }
}
