//! The workers of a running gateway, grouped by when they stop.

mod alerts;
mod listeners;

pub(crate) use alerts::post_without_workers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use larkline_client::Dialer;
use larkline_failpoint::failpoint;
use tokio::net::UnixListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin, Command};
use crate::chat_watch::ChatWatch;
use crate::config::{self, App, Common, Config, DESK, JOBS, Server};
use crate::connect::{Connected, connect, poll};
use crate::delivery::Delivery;
use crate::dispatch::Dispatch;
use crate::drain::{wait_for_outbox, watch_work};
use crate::handler::{Desk, Handler, Job, Resources};
use crate::identity::{self, Identity};
use crate::intake::Intake;
use crate::judge::Judge;
use crate::line::Line;
use crate::line_thread::LineThread;
use crate::link_watch::LinkWatch;
use crate::pressure_watch::PressureWatch;
use crate::proof::ProofWatch;
use crate::pulse::PulseWatch;
use crate::quota::QuotaWatch;
use crate::routing::Routing;
use crate::run_error::RunError;
use crate::shared::{AppRuntime, Shared};
use crate::supervisor::Supervisor;
use crate::task_api::{self, TaskApi};
use crate::upkeep::Upkeep;
use listeners::Listeners;

/// What ended children and their tasks' settlements may need beyond the children's grace.
const SETTLE: Duration = Duration::from_secs(3);
/// What chats are told of work that the deadline cut off has so long to leave.
const FAREWELL: Duration = Duration::from_secs(3);
/// How long the last stages get beyond the drain: they hold no user's work.
const SERVICE_STOP: Duration = Duration::from_secs(2);
/// So long a start and a stop wait for a disk where nothing but the dashboard's numbers depends on it.
const KEEP_MAX: Duration = Duration::from_secs(2);

/// What every app's start needs to know.
struct Wishes {
    keep_going: bool,
    fail: mpsc::Sender<RunError>,
}

/// All workers.
pub struct Stages {
    apps: Arc<Vec<Arc<AppRuntime>>>,
    /// Where `intake` runs; it outlives its workers.
    line: LineThread,
    intake: Supervisor,
    work: Supervisor,
    out: Supervisor,
    service: Supervisor,
    resources: Resources,
    reply_base: Option<String>,
    /// Ends the dispatch workers of the configuration in force.
    handlers: CancellationToken,
    kill: CancellationToken,
    vital: CancellationToken,
    /// Ends the watch for alerts.
    watch_halted: CancellationToken,
    failures: mpsc::Receiver<RunError>,
}

impl Stages {
    /// Starts everything.
    ///
    /// # Errors
    /// [`RunError`] when the network settings or a listener cannot be used.
    pub async fn start(
        shared: &Arc<Shared>,
        commands: mpsc::Sender<Command>,
        keep_going: bool,
        wait: bool,
    ) -> Result<Self, RunError> {
        let config = shared.config.load_full();
        let (fail, failures) = mpsc::channel(1);
        let wishes = Wishes { keep_going, fail: fail.clone() };
        let supervisor = |stage, runtime: &Handle| {
            Supervisor::new(stage, Arc::clone(&shared.restarts), runtime.clone())
        };
        let line = LineThread::start().map_err(RunError::Thread)?;
        let here = Handle::current();
        let dialer = Dialer::new(&config.network.to_net_options()).map_err(RunError::Network)?;
        let mut stages = Self {
            apps: Arc::default(),
            intake: supervisor("intake", line.runtime()),
            line,
            work: supervisor("work", &here),
            out: supervisor("out", &here),
            service: supervisor("service", &here),
            resources: resources(shared, &config, &dialer),
            reply_base: reply_base(&config.server),
            handlers: CancellationToken::new(),
            kill: CancellationToken::new(),
            vital: CancellationToken::new(),
            watch_halted: CancellationToken::new(),
            failures,
        };
        let listeners = Listeners::bind(shared, &config).await?;
        let mut apps = Vec::with_capacity(config.apps.len());
        for app in &config.apps {
            apps.push(stages.start_app(shared, app, &dialer, &wishes)?);
        }
        stages.apps = Arc::new(apps);
        let told = fail.clone();
        stages.watch("identity", shared, move |_, app| {
            Identity { app, keep_going, fail: told.clone() }.run()
        });
        stages.watch("link-watch", shared, |shared, app| LinkWatch { shared, app }.run());
        stages.watch("chat-watch", shared, |shared, app| ChatWatch { shared, app }.run());
        stages.watch("quota", shared, |shared, app| QuotaWatch { shared, app }.run());
        stages.watch("proof", shared, |shared, app| ProofWatch { shared, app }.run());
        stages.start_alerts(shared);
        // Before anybody can look at it.
        unless_it_hangs("the last 24 hours are read later", keep_pulses(shared, &stages.apps))
            .await;
        stages.watch("pulse", shared, |shared, app| PulseWatch { shared, app }.run());
        let pressure = Arc::new(PressureWatch { shared: Arc::clone(shared) });
        stages.until_stop("pressure", pressure, |pressure| async move { pressure.run().await });
        stages.start_handlers(shared, &config)?;
        stages.start_service(shared, listeners, commands);
        let watcher = identity::startup_watch(
            Arc::clone(&stages.apps),
            config.link.startup_deadline,
            wait,
            fail,
        );
        let cancel = stages.service.cancel_token();
        stages.service.spawn("startup", move || {
            let (watcher, cancel) = (watcher.clone(), cancel.clone());
            async move { cancel.run_until_cancelled_owned(watcher.run()).await.unwrap_or(()) }
        });
        Ok(stages)
    }

    /// The apps, and the thread that their links are on.
    pub fn line(&self) -> (Arc<Vec<Arc<AppRuntime>>>, Handle) {
        (Arc::clone(&self.apps), self.line.runtime().clone())
    }

    /// Starts a watcher for each app, which a stop ends at once.
    fn watch<Work>(
        &mut self,
        what: &str,
        shared: &Arc<Shared>,
        work: impl Fn(Arc<Shared>, Arc<AppRuntime>) -> Work + Clone + Send + 'static,
    ) where
        Work: Future<Output = ()> + Send + 'static,
    {
        for app in Arc::clone(&self.apps).iter() {
            let (shared, app, work) = (Arc::clone(shared), Arc::clone(app), work.clone());
            let cancel = self.service.cancel_token();
            self.service.spawn(format!("{what}/{}", app.name), move || {
                // Boxed: it holds whole calls of the API.
                let work = Box::pin(work(Arc::clone(&shared), Arc::clone(&app)));
                let cancel = cancel.clone();
                async move { cancel.run_until_cancelled_owned(work).await.unwrap_or(()) }
            });
        }
    }

    /// Resolves when a vital worker ended or a start-up condition failed for good.
    pub async fn failed(&mut self) -> RunError {
        tokio::select! {
            // A failure that has words goes before the end of the worker that had it.
            biased;
            Some(error) = self.failures.recv() => error,
            () = self.vital.cancelled() => RunError::Vital,
        }
    }

    /// Ends the stages in order.
    pub async fn stop(self, shared: &Shared, deadline: Instant) {
        self.intake.cancel_token().cancel();
        for app in self.apps.iter() {
            app.link.close();
        }
        self.intake.join(deadline).await;
        failpoint!("intake_stopped");
        let grace = shared.config.load().limits.kill_grace;
        let work = self.work.join(deadline + grace + SETTLE);
        tokio::pin!(work);
        let mut said_by = deadline;
        tokio::select! {
            _ = &mut work => {}
            () = watch_work(shared, deadline) => {
                self.kill.cancel();
                work.await;
                said_by = Instant::now() + FAREWELL;
            }
        }
        failpoint!("work_stopped");
        if let Err(error) = wait_for_outbox(shared, said_by).await {
            tracing::warn!("replies stay in the outbox until the next start: {error}");
        }
        failpoint!("outbox_empty");
        self.out.join(Instant::now() + SERVICE_STOP).await;
        self.service.join(Instant::now() + SERVICE_STOP).await;
        let keep = async {
            for app in self.apps.iter() {
                app.quota.keep(shared, app).await;
            }
            keep_pulses(shared, &self.apps).await;
        };
        unless_it_hangs("counts of the last seconds are not kept", keep).await;
        drop(self.line);
    }

    fn start_app(
        &mut self,
        shared: &Arc<Shared>,
        app: &App,
        dialer: &Dialer,
        wishes: &Wishes,
    ) -> Result<Arc<AppRuntime>, RunError> {
        let Connected { runtime, link, deliveries } =
            connect(&shared.config.load(), app, dialer, wishes.keep_going)?;
        let name = &app.name;
        let until = self.intake.cancel_token();
        let poll = poll(link, name.clone(), wishes.fail.clone(), until.clone());
        self.intake.spawn_vital(format!("link/{name}"), self.vital.clone(), poll);
        let judge = Arc::new(Judge::new(Arc::clone(shared), Arc::clone(&runtime)));
        let intake =
            Intake::new(Arc::clone(shared), Arc::clone(&runtime), Arc::clone(&judge), deliveries);
        let intake = Arc::new(intake);
        self.intake.spawn(format!("intake/{name}"), move || {
            let (intake, until) = (Arc::clone(&intake), until.clone());
            async move {
                intake.run().await;
                // The link has ended and there is nothing to start over; who watches it says why.
                until.cancelled().await;
            }
        });
        let routing = Arc::new(Routing::new(Arc::clone(shared), Arc::clone(&runtime), judge));
        let cancel = self.work.cancel_token();
        self.work.spawn(format!("routing/{name}"), move || {
            let (routing, cancel) = (Arc::clone(&routing), cancel.clone());
            async move {
                cancel.run_until_cancelled_owned(async { routing.run().await }).await.unwrap_or(())
            }
        });
        let delivery = Arc::new(Delivery {
            shared: Arc::clone(shared),
            app: Arc::clone(&runtime),
            drain: self.out.cancel_token(),
        });
        self.out.spawn(format!("delivery/{name}"), move || Arc::clone(&delivery).run());
        Ok(runtime)
    }

    /// Puts the handlers of a configuration in force. Workers of the one before claim nothing
    /// more and finish what they run.
    ///
    /// # Errors
    /// [`RunError`] when one of them cannot be made; then the ones before go on.
    pub fn start_handlers(
        &mut self,
        shared: &Arc<Shared>,
        config: &Config,
    ) -> Result<(), RunError> {
        let make = |(name, settings): (&String, &config::Handler)| {
            let handler = Handler::new(settings, &self.resources)
                .map_err(|source| RunError::Handler { name: name.clone(), source })?;
            Ok((name.clone(), Arc::new(handler), settings.common().clone()))
        };
        let mut made: Vec<_> = config.handlers.iter().map(make).collect::<Result<_, RunError>>()?;
        let desk = Handler::Desk(Desk::new(Arc::clone(shared)));
        made.push((DESK.to_owned(), Arc::new(desk), Common::of_desk()));
        let jobs = Job::new(Arc::clone(shared), config.jobs.clone(), &self.resources);
        let jobs = Handler::Job(Box::new(jobs));
        made.push((JOBS.to_owned(), Arc::new(jobs), Common::of_jobs(&config.jobs)));
        let current = self.work.cancel_token().child_token();
        std::mem::replace(&mut self.handlers, current.clone()).cancel();
        for (name, handler, common) in made {
            let dispatch = Arc::new(Dispatch {
                hand: shared.hands.of(&name),
                shared: Arc::clone(shared),
                apps: Arc::clone(&self.apps),
                name: name.clone(),
                handler,
                common,
                drain: current.clone(),
                kill: self.kill.clone(),
                line: Line::default(),
                reply_base: self.reply_base.clone(),
            });
            self.work.spawn_until(current.clone(), format!("dispatch/{name}"), move || {
                Arc::clone(&dispatch).run()
            });
        }
        Ok(())
    }

    fn start_service(
        &mut self,
        shared: &Arc<Shared>,
        listeners: Listeners,
        commands: mpsc::Sender<Command>,
    ) {
        let state = Admin {
            shared: Arc::clone(shared),
            apps: Arc::clone(&self.apps),
            commands,
            state_dir: self.resources.state_dir.clone(),
            post: Arc::new(self.post(shared)),
        };
        let cancel = self.service.cancel_token();
        self.service.spawn_vital(
            "admin",
            self.vital.clone(),
            admin::serve_socket(state.clone(), listeners.admin, cancel),
        );
        self.start_task_api(shared, listeners.tasks);
        if let Some(listener) = listeners.http {
            let cancel = self.service.cancel_token();
            self.service.spawn_vital(
                "http",
                self.vital.clone(),
                admin::serve_http(state, listener, cancel),
            );
        }
        let upkeep =
            Arc::new(Upkeep { shared: Arc::clone(shared), cancel: self.service.cancel_token() });
        self.service.spawn("upkeep", move || {
            let upkeep = Arc::clone(&upkeep);
            async move { upkeep.run().await }
        });
    }
}

async fn keep_pulses(shared: &Shared, apps: &[Arc<AppRuntime>]) {
    for app in apps {
        app.pulse.keep(shared, &app.name).await;
    }
}

/// Waits for what the disk does, and goes on without it when it hangs.
async fn unless_it_hangs(otherwise: &str, work: impl Future<Output = ()>) {
    if timeout(KEEP_MAX, work).await.is_err() {
        tracing::warn!("the disk does not answer: {otherwise}; see `larkline doctor`");
    }
}

impl Stages {
    /// The socket for tasks; it goes with the last stage, as tasks end before.
    fn start_task_api(&mut self, shared: &Arc<Shared>, socket: UnixListener) {
        let state_dir = self.resources.state_dir.clone();
        let api = TaskApi { shared: Arc::clone(shared), apps: Arc::clone(&self.apps), state_dir };
        let cancel = self.service.cancel_token();
        let serve = task_api::serve(api, socket, cancel);
        self.service.spawn_vital("tasks", self.vital.clone(), serve);
    }
}

fn resources(shared: &Shared, config: &Config, dialer: &Dialer) -> Resources {
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    Resources {
        children: shared.children.clone(),
        dialer: dialer.clone(),
        env,
        kill_grace: config.limits.kill_grace,
        state_dir: config.store.path.clone(),
    }
}

/// Where later answers are posted; none without a listener.
fn reply_base(server: &Server) -> Option<String> {
    let own = || server.http.map(|address| format!("http://{address}"));
    server.public_url.as_ref().map(|u| u.as_str().trim_end_matches('/').to_owned()).or_else(own)
}
