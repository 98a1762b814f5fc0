//! The dashboard from outside: what it shows, whom it lets in, and what does not move it.

mod feed;
mod hostile;
mod hung;
mod login;
mod month;
mod page;
mod site;
mod strip;
