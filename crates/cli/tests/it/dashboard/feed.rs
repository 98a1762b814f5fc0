//! A feed ends with the right to read it.

use reqwest::{Method, StatusCode};

use super::site::Site;
use crate::rig::text;

#[tokio::test]
async fn a_new_token_is_in_force_at_once_and_ends_sessions_and_open_feeds() {
    let site = Site::listening("0.0.0.0", "token = \"the-first-token\"").await;
    let login = site.request(Method::POST, "/dashboard/login");
    let login = login.form(&[("token", "the-first-token")]).send().await.unwrap();
    let cookie = login.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    let with = |path| site.request(Method::GET, path).header("cookie", cookie);
    let mut feed = with("/dashboard/feed").send().await.unwrap();
    assert!(feed.chunk().await.unwrap().is_some());

    site.rig.amend("the-first-token", "the-second-token");
    let reloaded = site.rig.cli(&["reload"]).await;
    assert_eq!(text(&reloaded.stderr).trim(), "reloaded", "no restart is asked for");
    while feed.chunk().await.unwrap().is_some() {}
    assert_eq!(with("/api/status").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    for (token, expected) in
        [("the-first-token", StatusCode::UNAUTHORIZED), ("the-second-token", StatusCode::OK)]
    {
        for path in ["/api/status", "/metrics"] {
            let answer = site.request(Method::GET, path).bearer_auth(token).send().await.unwrap();
            assert_eq!(answer.status(), expected, "{path} {token}");
        }
    }
}
