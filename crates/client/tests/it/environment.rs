//! What the environment may change, and what it may not. Variables belong to a process, so
//! each law starts this test binary again, with other variables, on one test of it.

use std::time::Duration;

use larkline_client::{Dialer, NetOptions, ProxyChoice};
use tokio::process::Command;
use url::Url;

use crate::dial_tls::Authority;
use crate::peer::closed;

/// Names the address that [`child_dials_what_it_is_told`] dials.
const TARGET: &str = "LARKLINE_TEST_TARGET";

/// Runs one test of this binary with these variables; true when it passes.
async fn passes(test: &str, variables: &[(&str, &str)]) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test]).envs(variables.iter().copied());
    let output = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("running 1 test"), "{told}");
    output.status.success()
}

/// Alone it does nothing; started by another test it dials.
#[tokio::test]
async fn child_dials_what_it_is_told() {
    let Ok(target) = std::env::var(TARGET) else { return };
    let options = NetOptions { proxy: ProxyChoice::None, ..NetOptions::default() };
    let dialer = Dialer::new(&options).unwrap();
    let url = Url::parse(&target).unwrap();
    dialer.connect(&url, Duration::from_secs(10)).await.unwrap();
    dialer.http().get(url).send().await.unwrap();
}

#[tokio::test]
async fn no_proxy_means_none_whatever_the_variables_say() {
    let (_closed, address) = closed();
    let proxy = format!("http://{address}");
    let variables = [("ALL_PROXY", proxy.as_str()), ("http_proxy", &proxy), ("NO_PROXY", "")];
    assert!(passes("api_token::verifying_asks_the_platform_whatever_is_cached", &variables).await);
}

#[tokio::test]
async fn an_authority_in_ssl_cert_file_is_trusted_by_calls_and_sockets() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = authority.server("localhost", |_| {}).await;
    let file = authority.file(folder.path());
    let test = "environment::child_dials_what_it_is_told";
    let target = (TARGET, server.url.as_str());
    assert!(!passes(test, &[target]).await);
    assert!(passes(test, &[target, ("SSL_CERT_FILE", file.to_str().unwrap())]).await);
}
