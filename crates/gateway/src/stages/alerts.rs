//! The workers of alerts, and how a worker of the last stage is started.

use std::sync::Arc;

use larkline_client::Dialer;

use super::Stages;
use crate::alert::{AlertKeep, AlertWatch, HeartbeatWorker, Post};
use crate::shared::Shared;

/// Who tells where no worker has begun; nobody when not even the network settings can be used.
pub(crate) fn post_without_workers(shared: &Arc<Shared>) -> Option<Post> {
    let config = shared.config.load_full();
    let dialer = Dialer::new(&config.network.to_net_options()).ok()?;
    let resources = super::resources(shared, &config, &dialer);
    Some(Post { shared: Arc::clone(shared), apps: Arc::default(), resources })
}

impl Stages {
    pub(super) fn post(&self, shared: &Arc<Shared>) -> Post {
        let (shared, apps) = (Arc::clone(shared), Arc::clone(&self.apps));
        Post { shared, apps, resources: self.resources.clone() }
    }

    /// Who finds what is wrong, who tells it, and who says outside that all is well.
    pub(super) fn start_alerts(&mut self, shared: &Arc<Shared>) {
        self.watch_halted = self.intake.cancel_token().child_token();
        let (apps, halted) = (Arc::clone(&self.apps), self.watch_halted.clone());
        let watch = AlertWatch { shared: Arc::clone(shared), apps, halted };
        self.until_stop("alert-watch", Arc::new(watch), |watch| async move { watch.run().await });
        let keep = Arc::new(AlertKeep { shared: Arc::clone(shared) });
        self.until_stop("alert-keep", keep, |keep| async move { keep.run().await });
        let post = Arc::new(self.post(shared));
        self.until_stop("alert-post", post, |post| async move { post.run().await });
        let (apps, dialer) = (Arc::clone(&self.apps), self.resources.dialer.clone());
        let heart = HeartbeatWorker { shared: Arc::clone(shared), apps, dialer };
        self.until_stop("heartbeat", Arc::new(heart), |heart| async move { heart.run().await });
    }

    /// Looks for nothing wrong any more: the gateway ends, and that is told.
    pub fn halt_watch(&self) {
        self.watch_halted.cancel();
    }

    /// Starts a worker of the last stage, which the stop ends at once.
    pub(super) fn until_stop<Worker, Work>(
        &mut self,
        name: &str,
        worker: Arc<Worker>,
        run: impl Fn(Arc<Worker>) -> Work + Send + 'static,
    ) where
        Worker: Send + Sync + 'static,
        Work: Future<Output = ()> + Send + 'static,
    {
        let cancel = self.service.cancel_token();
        self.service.spawn(name, move || {
            let (work, cancel) = (Box::pin(run(Arc::clone(&worker))), cancel.clone());
            async move { cancel.run_until_cancelled_owned(work).await.unwrap_or(()) }
        });
    }
}
