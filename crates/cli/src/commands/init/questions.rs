//! The questions to a person at a terminal. Each is answered by its flag when that is there, and by the
//! simplest choice when nobody can be asked.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use dialoguer::{Confirm, Input, Password, Select};
use larkline_client::Secret;
use larkline_gateway::words::Lang;
use larkline_proto::id::{AppId, OpenId};

use super::app::well_formed;
use super::draft::{Draft, LANGUAGES, SecretAt};
use crate::args::{Answerer, Brand, InitArgs, Provider, brand, words};
use crate::exit::Yours;
use crate::lang::{either, lang};

/// How the app is found.
pub(super) enum Way {
    Scan,
    Known(AppId, SecretAt),
    Paste,
}

/// Asks where somebody can answer.
pub(super) struct Asker {
    interactive: bool,
}

impl Asker {
    pub(super) fn new(yes: bool) -> Self {
        let terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        Self { interactive: terminal && !yes }
    }

    /// The language; `None` leaves the environment's.
    pub(super) fn language(&self, flag: Option<Lang>) -> Result<Option<Lang>> {
        if flag.is_some() || !self.interactive {
            return Ok(flag);
        }
        let names = LANGUAGES.map(|(name, _)| name);
        let chosen = self.choose("语言 / Language", &names, lang().either(0, 1))?;
        Ok(Some(LANGUAGES[chosen].1))
    }

    /// Whether a file that is there may be replaced.
    pub(super) fn replace(&self, file: &Path) -> Result<bool> {
        let prompt = say!(
            zh: "{file} 已存在。替换它（留一份副本）？",
            en: "{file} is there already. Replace it (a copy is kept)?",
            file = file.display()
        );
        if self.interactive { self.confirm(&prompt, false) } else { Ok(false) }
    }

    pub(super) fn brand(&self, flag: Option<Brand>) -> Result<Brand> {
        if let Some(brand) = flag {
            return Ok(brand);
        }
        if !self.interactive {
            return Ok(Brand::Feishu);
        }
        let own = either(
            "自有平台或模拟器（地址）",
            "a platform of your own, or the simulator (its address)",
        );
        let names = [either("飞书", "Feishu"), "Lark", own];
        Ok(match self.choose(either("应用在哪里？", "Where is the app?"), &names, 0)? {
            0 => Brand::Feishu,
            1 => Brand::Lark,
            _ => {
                let prompt = either("地址", "Address");
                let checked = |text: &String| brand(text).map(|_| ());
                let text = self.text(prompt, "http://127.0.0.1:7800", checked)?;
                brand(&text).map_err(Yours)?
            }
        })
    }

    pub(super) fn handler(&self, flag: Option<Answerer>) -> Result<Answerer> {
        if let Some(handler) = flag {
            return Ok(handler);
        }
        if !self.interactive {
            return Ok(Answerer::Echo);
        }
        let agent = |name: &str, program: &str| match on_path(program) {
            Some(path) => {
                say!(zh: "{name}（{path}）", en: "{name} ({path})", path = path.display())
            }
            None => {
                say!(zh: "{name}（PATH 上没有 {program}）", en: "{name} (no {program} on the PATH)")
            }
        };
        let names = [
            either(
                "回声：原样重复，先看看通不通",
                "echo: repeats what is written, to see that it works",
            )
            .to_owned(),
            agent("Claude Code", "claude"),
            agent("Codex", "codex"),
            either("大模型（OpenAI 兼容接口）", "a language model (OpenAI-compatible)").to_owned(),
            either("一个程序", "a program").to_owned(),
        ];
        let names = names.each_ref().map(String::as_str);
        // Whoever has an agent installed most likely came for it.
        let agents = [("claude", 1), ("codex", 2)];
        let default = agents.into_iter().find(|(program, _)| on_path(program).is_some());
        let default = default.map_or(0, |(_, n)| n);
        Ok(match self.choose(either("谁来回答？", "What answers?"), &names, default)? {
            0 => Answerer::Echo,
            1 => Answerer::Agent("claude"),
            2 => Answerer::Agent("codex"),
            3 => self.model()?,
            _ => {
                let prompt = either("程序和参数", "Program and arguments");
                let some = |text: &String| match text.trim().is_empty() {
                    true => Err(either("写一个程序", "name a program").to_owned()),
                    false => Ok(()),
                };
                Answerer::Command(words(&self.text(prompt, "./answer", some)?))
            }
        })
    }

    fn model(&self) -> Result<Answerer> {
        let providers = [Provider::Qwen, Provider::QwenIntl, Provider::DeepSeek, Provider::OpenAi];
        let names = providers.map(|provider| provider.usual().0);
        let chosen = self.choose(either("哪家的模型？", "Whose model?"), &names, 0)?;
        let provider = providers[chosen];
        let model = self.text(either("模型", "Model"), provider.usual().1, |_| Ok(()))?;
        Ok(Answerer::Llm { provider, model: Some(model) })
    }

    /// What depends on the handler: an agent's directory, the variable with a model's key.
    pub(super) fn details(&self, draft: &mut Draft) -> Result<()> {
        if !self.interactive {
            return Ok(());
        }
        match &draft.handler {
            Answerer::Agent(_) if draft.cwd.is_none() => {
                let prompt = either(
                    "它在哪个目录里工作？（空：每个对话一个自己的目录）",
                    "Which directory does it work in? (empty: one of its own for each conversation)",
                );
                let cwd = self.optional(prompt)?;
                draft.cwd = cwd.map(std::path::absolute).transpose()?;
            }
            Answerer::Llm { provider, .. } if draft.key_env.is_none() => {
                let prompt = either("哪个环境变量里有密钥？", "Which variable holds the key?");
                draft.key_env = Some(self.text(prompt, provider.usual().2, |_| Ok(()))?);
            }
            Answerer::Echo | Answerer::Agent(_) | Answerer::Llm { .. } | Answerer::Command(_) => {}
        }
        Ok(())
    }

    pub(super) fn way(&self, args: &InitArgs) -> Result<Way> {
        let at = match (&args.app_secret_file, &args.app_secret_env) {
            (Some(file), _) => Some(SecretAt::File(std::path::absolute(file)?)),
            (None, Some(name)) => Some(SecretAt::Env(name.clone())),
            (None, None) => None,
        };
        match (&args.app_id, at) {
            _ if args.qr => return Ok(Way::Scan),
            (Some(id), Some(at)) => return Ok(Way::Known(well_formed(id).map_err(Yours)?, at)),
            (Some(_), None) if self.interactive => return Ok(Way::Paste),
            (None, None) if self.interactive => {}
            _ => {
                return Err(Yours(either(
                    "没有终端可以提问：用 --qr，或用 --app-id 加 --app-secret-file 或 --app-secret-env",
                    "there is no terminal to ask at: use --qr, or --app-id with --app-secret-file or --app-secret-env",
                ).to_owned()).into());
            }
        }
        let names = [
            either("扫二维码创建或选择应用", "create or choose it by a QR code"),
            either("填 App ID 和 App Secret", "paste App ID and App secret"),
        ];
        Ok(match self.choose(either("用哪个应用？", "Which app?"), &names, 0)? {
            0 => Way::Scan,
            _ => Way::Paste,
        })
    }

    /// Id and secret; the secret is not shown.
    pub(super) fn credentials(&self, app_id: Option<&str>) -> Result<(AppId, Secret)> {
        let id = match app_id {
            Some(id) => id.to_owned(),
            None => self.text("App ID", "", |text| well_formed(text).map(|_| ()))?,
        };
        let app_id = well_formed(&id).map_err(Yours)?;
        let prompt = either("App Secret（不显示）", "App secret (not shown)");
        let secret = blocking(|| Password::new().with_prompt(prompt).interact())?;
        Ok((app_id, Secret::new(secret.trim())))
    }

    /// Who owns the bot, when nobody is known to.
    pub(super) fn owners(&self, known: Vec<OpenId>) -> Result<Vec<OpenId>> {
        if !known.is_empty() || !self.interactive {
            return Ok(known);
        }
        let prompt = either(
            "你的 open id（ou_…；不知道就留空，之后再写进 owners）",
            "Your open id (ou_…; leave it empty when unknown, and write it into owners later)",
        );
        let id = self.optional(prompt)?.filter(|id| id.starts_with("ou_"));
        Ok(id.map(OpenId::new).into_iter().collect())
    }

    fn choose(&self, prompt: &str, names: &[&str], default: usize) -> Result<usize> {
        blocking(|| Select::new().with_prompt(prompt).items(names).default(default).interact())
    }

    fn confirm(&self, prompt: &str, default: bool) -> Result<bool> {
        blocking(|| Confirm::new().with_prompt(prompt).default(default).interact())
    }

    fn text(
        &self,
        prompt: &str,
        default: &str,
        check: impl Fn(&String) -> Result<(), String>,
    ) -> Result<String> {
        let input = Input::<String>::new().with_prompt(prompt).validate_with(check);
        let input = if default.is_empty() { input } else { input.default(default.to_owned()) };
        Ok(blocking(|| input.interact_text())?.trim().to_owned())
    }

    fn optional(&self, prompt: &str) -> Result<Option<String>> {
        let input = Input::<String>::new().with_prompt(prompt).allow_empty(true);
        let text = blocking(|| input.interact_text())?;
        Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty()))
    }
}

/// A question waits on a thread of the runtime, which has others.
fn blocking<T>(ask: impl FnOnce() -> dialoguer::Result<T>) -> Result<T> {
    tokio::task::block_in_place(ask).with_context(|| {
        say!(
            zh: "终端没有给出回答；也可以用参数：larkline init --help",
            en: "the terminal gave no answer; flags do as well: larkline init --help"
        )
    })
}

/// Where a program is, as a shell would find it.
fn on_path(program: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let runs = |path: &PathBuf| {
        path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(&std::env::var_os("PATH")?).map(|dir| dir.join(program)).find(runs)
}
