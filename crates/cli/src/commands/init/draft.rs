//! The file that `init` writes: every choice with its reason beside it. Pure; the real loader checks
//! the result.

use std::path::PathBuf;

use larkline_gateway::words::Lang;
use larkline_proto::id::{AppId, OpenId};

use crate::args::{Answerer, Brand};
use crate::lang::{either, lang};

/// Where the configuration says that the secret is.
#[derive(Clone, Debug)]
pub(super) enum SecretAt {
    File(PathBuf),
    Env(String),
}

/// All that was chosen.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) brand: Brand,
    pub(super) app_id: AppId,
    pub(super) secret: SecretAt,
    pub(super) owners: Vec<OpenId>,
    pub(super) handler: Answerer,
    pub(super) key_env: Option<String>,
    pub(super) cwd: Option<PathBuf>,
    pub(super) proxy: Option<String>,
    pub(super) ca_files: Vec<PathBuf>,
}

impl Draft {
    /// The name of the handler in the file.
    pub(super) fn handler_name(&self) -> &'static str {
        match &self.handler {
            Answerer::Echo => "echo",
            Answerer::Agent(agent) => agent,
            Answerer::Llm { .. } => "assistant",
            Answerer::Command(_) => "command",
        }
    }

    /// The file's text, in the process's language.
    pub(super) fn text(&self) -> String {
        let parts = [self.head(), self.app(), self.network(), self.route(), self.answerer()];
        parts.concat().join("\n") + "\n"
    }

    fn head(&self) -> Vec<String> {
        let word = lang().either("zh", "en");
        vec![
            either(
                "# 由 `larkline init` 写成；全部配置项见 docs/configuration.md，改完用 `larkline config check` 检查。",
                "# Written by `larkline init`. docs/configuration.md has every key; `larkline config check` finds mistakes.",
            )
            .to_owned(),
            String::new(),
            format!(
                "language = {}   {}",
                quoted(word),
                either("# 网关在聊天和命令行里说的语言", "# what the gateway speaks, in chats and at the command line")
            ),
        ]
    }

    fn app(&self) -> Vec<String> {
        let domain = match &self.brand {
            Brand::Feishu => "feishu",
            Brand::Lark => "lark",
            Brand::Own(url) => url.as_str().trim_end_matches('/'),
        };
        let secret = match &self.secret {
            SecretAt::File(path) => format!("{{ file = {} }}", quoted(&path.display().to_string())),
            SecretAt::Env(name) => format!("{{ env = {} }}", quoted(name)),
        };
        let owners: Vec<String> = self.owners.iter().map(|id| quoted(id.as_str())).collect();
        let owners_are = match owners.is_empty() {
            true => either(
                "# 你自己的 open id：给机器人发一条消息，`larkline messages --format json` 里有",
                "# your own open id: write to the bot; `larkline messages --format json` has it",
            ),
            false => either(
                "# 能用智能体、程序和管理命令的人",
                "# who reaches agents, programs and commands of the bot",
            ),
        };
        vec![
            String::new(),
            "[app.main]".to_owned(),
            format!("app_id = {}", quoted(self.app_id.as_str())),
            format!(
                "app_secret = {secret}   {}",
                either("# secret 不写在这里", "# the secret itself stands elsewhere")
            ),
            format!(
                "domain = {}   {}",
                quoted(domain),
                either(
                    "# feishu、lark，或自有平台的地址",
                    "# feishu, lark, or the address of a platform of your own"
                )
            ),
            format!("owners = [{}]   {owners_are}", owners.join(", ")),
        ]
    }

    fn network(&self) -> Vec<String> {
        if self.proxy.is_none() && self.ca_files.is_empty() {
            return Vec::new();
        }
        let mut lines = vec![String::new(), "[network]".to_owned()];
        lines.extend(self.proxy.as_ref().map(|proxy| format!("proxy = {}", quoted(proxy))));
        if !self.ca_files.is_empty() {
            let files: Vec<String> =
                self.ca_files.iter().map(|file| quoted(&file.display().to_string())).collect();
            lines.push(format!("ca_files = [{}]", files.join(", ")));
        }
        lines
    }

    fn route(&self) -> Vec<String> {
        let senders = match &self.handler {
            Answerer::Echo | Answerer::Llm { .. } => format!(
                "senders = \"everyone\"   {}",
                either("# 或写成 open id 的列表", "# or a list of open ids")
            ),
            Answerer::Agent(_) | Answerer::Command(_) => either(
                "# senders = [\"ou_…\"]   # 不写：只有 owners；能用它的人就能做运行它的用户能做的事",
                "# senders = [\"ou_…\"]   # absent: the owners alone; whoever reaches it can do what its user can",
            )
            .to_owned(),
        };
        vec![
            String::new(),
            either(
                "# 路由按顺序尝试，第一条接受消息的生效。",
                "# Routes are tried in order; the one that admits a message gets it.",
            )
            .to_owned(),
            "[[route]]".to_owned(),
            "name = \"all\"".to_owned(),
            format!("handler = {}", quoted(self.handler_name())),
            format!(
                "mention = \"auto\"   {}",
                either(
                    "# 群里需要 @机器人，单聊不需要；\"never\" 还需要权限 im:message.group_msg",
                    "# groups need @bot, direct chats do not; \"never\" needs the scope im:message.group_msg"
                )
            ),
            senders,
        ]
    }

    fn answerer(&self) -> Vec<String> {
        let mut lines = vec![String::new(), format!("[handler.{}]", self.handler_name())];
        lines.extend(match &self.handler {
            Answerer::Echo => vec![
                "kind = \"echo\"".to_owned(),
                either(
                    "# 换成智能体、大模型或程序：docs/agents.md、docs/llm.md、docs/handlers.md",
                    "# an agent, a model or a program instead: docs/agents.md, docs/llm.md, docs/handlers.md",
                )
                .to_owned(),
            ],
            Answerer::Agent(agent) => self.agent(agent),
            Answerer::Llm { provider, model } => {
                let (name, usual, key) = provider.usual();
                let model = model.as_deref().unwrap_or(usual);
                vec![
                    "kind = \"llm\"".to_owned(),
                    format!("provider = {}", quoted(name)),
                    format!(
                        "api_key = {{ env = {} }}   {}",
                        quoted(self.key_env.as_deref().unwrap_or(key)),
                        either("# 写进此文件旁边的 .env 也可以", "# .env beside this file may set it")
                    ),
                    format!("model = {}", quoted(model)),
                ]
            }
            Answerer::Command(argv) => {
                let words: Vec<String> = argv.iter().map(|word| quoted(word)).collect();
                vec![
                    "kind = \"command\"".to_owned(),
                    format!(
                        "argv = [{}]   {}",
                        words.join(", "),
                        either(
                            "# 不经过 shell；消息以 JSON 从标准输入来，打印什么就回答什么",
                            "# no shell; the message is JSON on stdin, the answer is what it prints"
                        )
                    ),
                    "timeout = \"2m\"".to_owned(),
                ]
            }
        });
        lines
    }

    fn agent(&self, agent: &str) -> Vec<String> {
        let cwd = match &self.cwd {
            Some(cwd) => format!("cwd = {}", quoted(&cwd.display().to_string())),
            None => either(
                "# cwd = \"~/src/shop\"   # 不写：每个对话有自己的目录",
                "# cwd = \"~/src/shop\"   # absent: a directory of its own for each conversation",
            )
            .to_owned(),
        };
        let permission = match agent {
            // It has nobody to ask.
            "codex" => format!(
                "permission = \"deny\"   {}",
                either(
                    "# 它的沙箱禁止的就失败；想被询问：agent = \"acp\" 和 codex-acp",
                    "# what its sandbox forbids fails; to be asked: agent = \"acp\" with codex-acp"
                )
            ),
            _ => format!(
                "permission = \"ask\"   {}",
                either("# 用工具之前在聊天里问", "# asks in the chat before it uses a tool")
            ),
        };
        vec![
            "kind = \"agent\"".to_owned(),
            format!("agent = {}", quoted(agent)),
            cwd,
            permission,
            format!(
                "limits = {{ wall = \"30m\", idle = \"10m\" }}   {}",
                either("# 一轮最长多久、沉默多久", "# longest turn, longest silence")
            ),
        ]
    }
}

/// A basic string of TOML. JSON's are a part of them.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The language a file is written in, for [`crate::lang::choose`].
pub(super) const LANGUAGES: [(&str, Lang); 2] = [("中文", Lang::Zh), ("English", Lang::En)];
