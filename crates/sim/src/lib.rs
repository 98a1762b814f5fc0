//! The platform in a box: long connection, open API, people, faults, and a ledger of all of it.
//!
//! Faithful enough that the official SDKs run against it unmodified, scriptable enough that a
//! test can make anything go wrong. Its own chat page is at `/`. What is deliberately not here:
//! events pushed to webhooks.
//!
//! ```no_run
//! # async fn demo() -> Result<(), Box<dyn std::error::Error>> {
//! use larkline_sim::{Say, Sim, SimOptions};
//!
//! let sim = Sim::start(SimOptions::default()).await?;
//! let user = sim.platform().add_user("Lin");
//! // … a client connects to `sim.url()` …
//! sim.platform().say(Say { user, text: "hello".to_owned(), ..Say::default() })?;
//! let answered = sim.platform().wait_for(|l| l.messages.len() == 1, std::time::Duration::from_secs(5));
//! answered.await?;
//! # Ok(())
//! # }
//! ```

mod ack;
mod act;
mod addons;
mod admin;
mod api;
mod armed;
mod card;
mod clock;
mod connection;
mod console;
mod delivery;
mod detour;
mod fault;
mod gateway;
mod handshake;
mod hook;
mod http;
mod inject;
mod ledger;
mod limit;
mod load;
mod messages;
mod multipart;
mod once;
mod options;
mod page;
mod people;
mod platform;
mod press;
mod registration;
mod script;
mod server;
mod stream;
mod talk;
mod timer;
mod token;
mod world;
mod ws;

pub use console::{Console, Draft};
pub use fault::{Answer, Fault, Malformed};
pub use gateway::{Gateway, Told};
pub use hook::NewHook;
pub use ledger::{
    CallRow, ConnectionRow, Delivery, Edit, EventRow, HookRow, Ledger, MessageRow, ReactionRow,
    Rows,
};
pub use load::{Load, LoadReport, Spread};
pub use options::{
    AppSpec, ClientConfig, DEMO_APP_ID, DEMO_APP_SECRET, Limits, SimOptions, TlsFiles,
};
pub use platform::{Platform, PlatformError};
pub use press::{Press, PressResult};
pub use registration::Scan;
pub use script::{Report, Script, ScriptError, Setup};
pub use server::{Sim, SimError};
pub use talk::{Attachment, RawContent, Said, Say};
