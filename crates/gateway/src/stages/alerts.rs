//! The workers of alerts, and how a worker of the last stage is started.

use std::sync::Arc;

use super::Stages;
use crate::alert::{AlertKeep, AlertWatch, HeartbeatWorker, Post};
use crate::shared::Shared;

impl Stages {
    pub(super) fn post(&self, shared: &Arc<Shared>) -> Post {
        let (shared, apps) = (Arc::clone(shared), Arc::clone(&self.apps));
        Post { shared, apps, resources: self.resources.clone() }
    }

    /// Who finds what is wrong, who tells it, and who says outside that all is well.
    pub(super) fn start_alerts(&mut self, shared: &Arc<Shared>) {
        let (apps, halted) = (Arc::clone(&self.apps), self.intake.cancel_token());
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
