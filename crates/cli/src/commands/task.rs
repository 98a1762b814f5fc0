//! The gateway, as a program of a running task reaches it: by a socket and a token that its
//! environment holds.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::Method;
use larkline_client::Secret;
use larkline_gateway::admin::client::{Payload, Peer};
use larkline_gateway::grants::{SOCKET, TOKEN};
use larkline_gateway::jobs::{JobSpec, JobView};
use larkline_gateway::task_api::{ChatMessages, FileSent, Question, Reply, Said, Say};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ask::with_query;
use crate::exit::Yours;
use crate::lang::either;

/// How long the bytes of a file may take beside the usual time.
pub(crate) const UPLOAD: Duration = Duration::from_mins(2);
/// The platform's limit for a file.
const FILE_BYTES_MAX: u64 = 30 << 20;

/// The gateway of a task.
#[derive(Clone, Debug)]
pub(crate) struct Task {
    peer: Peer,
}

impl Task {
    /// The task that this process belongs to; none when there is no token in its environment. Another
    /// variable can be named.
    ///
    /// # Errors
    /// When a named variable is absent, or a token comes without a socket.
    pub(crate) fn of_env(token_env: Option<&str>) -> Result<Option<Self>> {
        let read = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let name = token_env.unwrap_or(TOKEN);
        let Some(token) = read(name) else {
            if token_env.is_none() {
                return Ok(None);
            }
            let text = say!(
                zh: "{name} 中没有令牌；请指定运行中任务所带的变量",
                en: "{name} holds no token; name the variable that a running task has"
            );
            return Err(Yours(text).into());
        };
        let Some(socket) = read(SOCKET) else {
            let text = say!(
                zh: "{name} 中有令牌，而 {SOCKET} 中没有路径：请在任务内、用网关给它的环境运行",
                en: "{name} holds a token, and {SOCKET} no path: run this inside a task, with the environment that the gateway gave it"
            );
            return Err(Yours(text).into());
        };
        Ok(Some(Self { peer: Peer::task(Path::new(&socket), Secret::new(token)) }))
    }

    /// Says something.
    ///
    /// # Errors
    /// When the gateway is not there or refuses.
    pub(crate) async fn say(&self, say: &Say) -> Result<Said> {
        self.post("/v1/task/say", say).await
    }

    /// Sends a file.
    ///
    /// # Errors
    /// When it cannot be read, or the gateway is not there or refuses.
    pub(crate) async fn send_file(&self, path: &Path, name: Option<String>) -> Result<FileSent> {
        let name = name.unwrap_or_else(|| file_name(path));
        let bytes = read_file(path)?;
        let to = with_query("/v1/task/file", &[("name", name)])?;
        let peer = self.peer.patient(UPLOAD);
        Ok(peer.call(Method::POST, &to, Payload::Bytes(bytes)).await?)
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// When the gateway is not there or refuses.
    pub(crate) async fn ask(&self, question: &Question, wait: Duration) -> Result<Reply> {
        let peer = self.peer.patient(wait);
        Ok(peer.call(Method::POST, "/v1/task/ask", Payload::json(question)?).await?)
    }

    /// What was said in the chat.
    ///
    /// # Errors
    /// When the gateway is not there or refuses.
    pub(crate) async fn messages(&self, limit: u64) -> Result<ChatMessages> {
        self.get(&format!("/v1/task/messages?limit={limit}")).await
    }

    /// Starts a job.
    ///
    /// # Errors
    /// When the gateway is not there or refuses.
    pub(crate) async fn run(&self, job: &JobSpec) -> Result<JobView> {
        self.post("/v1/task/jobs", job).await
    }

    /// Asks without a body.
    ///
    /// # Errors
    /// When the gateway is not there or refuses.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        Ok(self.peer.call(Method::GET, path, Payload::None).await?)
    }

    /// Asks with a body.
    ///
    /// # Errors
    /// When the gateway is not there or refuses.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        Ok(self.peer.call(Method::POST, path, Payload::json(body)?).await?)
    }
}

/// The last part of a path.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| "file".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// All of a file, when the platform takes so much.
///
/// # Errors
/// When it is too large, no file, or cannot be read.
pub(crate) fn read_file(path: &Path) -> Result<Bytes> {
    let about = |what: &str| format!("{}: {what}", path.display());
    let found = std::fs::metadata(path);
    let found = found.map_err(|error| {
        Yours(about(&say!(zh: "{error}；请换一个文件", en: "{error}; name another file")))
    })?;
    if !found.is_file() {
        return Err(Yours(about(either(
            "不是文件；请指定文件，文件夹请先打包",
            "not a file; name one, or pack a folder first",
        )))
        .into());
    }
    if found.len() > FILE_BYTES_MAX {
        let text = about(either(
            "超过平台允许的 30 MB；请拆分发送",
            "larger than 30 MB, which is what the platform takes; send a part",
        ));
        return Err(Yours(text).into());
    }
    let bytes = std::fs::read(path).with_context(|| about(either("无法读取", "cannot be read")))?;
    Ok(bytes.into())
}

/// The directory that this process works in.
///
/// # Errors
/// When it is gone.
pub(crate) fn here() -> Result<PathBuf> {
    std::env::current_dir().with_context(|| {
        say!(zh: "工作目录已不存在；请换到别的目录", en: "the working directory is gone; change to another")
    })
}
