//! Requests that mean harm change nothing, and get no more than a refusal.

use std::io::{Read, Write};
use std::net::TcpStream;

use reqwest::{Method, StatusCode};

use super::site::Site;
use crate::rig::PATIENCE;

/// Sends bytes as they are; what comes back until the other side ends.
fn raw(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The other side may hang up before it has read all.
    drop(stream.write_all(request.as_bytes()));
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer));
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> u16 {
    answer.split_whitespace().nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn another_site_can_do_nothing_and_read_nothing() {
    let site = Site::start("").await;
    let letter = site.dead().await;
    site.rig.until("the letter", async || site.page("/").await.contains("1 dead letter")).await;
    let mark = Site::mark(&site.page("/").await);
    let own = format!("http://127.0.0.1:{}", site.port);
    let path = format!("/dashboard/dead/{letter}/drop");
    let headers: [&[(&str, &str)]; 7] = [
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("origin", "http://127.0.0.1:1")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", &own)],
        &[("sec-fetch-site", "none")],
        &[("host", "evil.example")],
    ];
    for headers in headers {
        let post = site.request(Method::POST, &path).form(&[("mark", &mark)]);
        let post = headers.iter().fold(post, |post, (name, value)| post.header(*name, *value));
        assert_eq!(post.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{headers:?}");
    }
    for mark in ["", "0", &"0".repeat(64)] {
        let post = site.request(Method::POST, &path).form(&[("mark", mark)]);
        assert_eq!(post.send().await.unwrap().status(), StatusCode::FORBIDDEN, "{mark}");
    }
    for path in ["/", "/api/messages", "/dashboard/feed", "/dashboard/config"] {
        for (name, value) in [("host", "evil.example"), ("sec-fetch-site", "cross-site")] {
            let answer = site.request(Method::GET, path).header(name, value).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path} {name}");
        }
    }
    assert_eq!(site.letters().await, 1);
    let own = site.request(Method::POST, &path).header("origin", &own);
    let own = own.header("sec-fetch-site", "same-origin").form(&[("mark", &mark)]);
    assert_eq!(own.send().await.unwrap().status(), StatusCode::SEE_OTHER, "the page itself may");
    assert_eq!(site.letters().await, 0);
}

#[tokio::test]
async fn hostile_requests_are_refused_and_change_nothing() {
    let site = Site::start("").await;
    let letter = site.dead().await;
    let before = site.rig.json(&["dead"]).await;
    let host = format!("Host: 127.0.0.1:{}\r\nConnection: close\r\n", site.port);
    let drop = format!("/dashboard/dead/{letter}/drop");
    let long = "x".repeat(1 << 20);
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let requests = [
        format!("GET /dashboard/../../../../etc/passwd HTTP/1.1\r\n{host}\r\n"),
        format!("GET /dashboard/..%2f..%2fetc%2fpasswd HTTP/1.1\r\n{host}\r\n"),
        format!("GET /dashboard/%00 HTTP/1.1\r\n{host}\r\n"),
        format!("GET /dashboard//style.css HTTP/1.1\r\n{host}\r\n"),
        format!("GET {drop} HTTP/1.1\r\n{host}\r\n"),
        format!("PUT {drop} HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"),
        format!("DELETE {drop} HTTP/1.1\r\n{host}\r\n"),
        format!("PATCH / HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"),
        format!("TRACE / HTTP/1.1\r\n{host}\r\n"),
        format!("BREW / HTTP/1.1\r\n{host}\r\n"),
        format!("POST / HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"),
        format!("POST {drop} HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"),
        format!(
            "POST {drop} HTTP/1.1\r\n{host}{form}Content-Length: {}\r\n\r\nmark={long}",
            long.len() + 5
        ),
        format!("POST {drop} HTTP/1.1\r\n{host}{form}Content-Length: 7\r\n\r\nmark=\u{0}x"),
        format!(
            "POST {drop} HTTP/1.1\r\n{host}Content-Type: application/json\r\nContent-Length: 13\r\n\r\n{{\"mark\":\"x\"}} "
        ),
        format!(
            "POST /dashboard/dead/t99999999999999999999/drop HTTP/1.1\r\n{host}{form}Content-Length: 6\r\n\r\nmark=x"
        ),
        format!("POST /api/messages HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n"),
        format!(
            "POST /v1/stop HTTP/1.1\r\n{host}Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{{\"reason\":\"x\"}}"
        ),
        format!("GET /?{long} HTTP/1.1\r\n{host}\r\n"),
        format!("GET / HTTP/1.1\r\n{host}X-Long: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\n{host}{}\r\n", "X-Many: 1\r\n".repeat(500)),
        format!(
            "POST {drop} HTTP/1.1\r\n{host}{form}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\nzzzz\r\n"
        ),
        format!("GET / HTTP/1.1\r\n{host}Content-Length: 4\r\nContent-Length: 5\r\n\r\nzzzz\r\n"),
        "GET / HTTP/1.0\r\n\r\n".to_owned(),
        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
            .to_owned(),
        "\u{16}\u{3}\u{1} no http at all\r\n\r\n".to_owned(),
    ];
    for request in &requests {
        let answer = raw(site.port, request);
        let head: String = request.chars().take(80).collect();
        assert!(matches!(status(&answer), 0 | 400..=499), "{head:?}: {answer}");
        assert!(!answer.contains("root:"), "{head:?}");
    }
    assert_eq!(site.rig.json(&["dead"]).await, before);
    assert_eq!(site.get("/").await.status(), StatusCode::OK, "it goes on");
}

#[tokio::test]
async fn nothing_of_a_request_becomes_a_header_and_every_answer_is_closed() {
    let site = Site::start("").await;
    let broken = "%0d%0aSet-Cookie:%20evil=1%0d%0a%0d%0a%3Cscript%3E";
    let paths = [
        format!("/?lang={broken}"),
        format!("/?said={broken}"),
        format!("/dashboard/story?key={broken}"),
        format!("/dashboard/config?part=true&lang={broken}"),
        format!("/dashboard/{broken}"),
        "/dashboard/style.css".to_owned(),
        "/api/status".to_owned(),
    ];
    for path in &paths {
        let answer = site.get(path).await;
        let headers = answer.headers().clone();
        assert!(!headers.contains_key("set-cookie"), "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        for (name, value) in [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY")] {
            assert_eq!(headers[name], value, "{path}");
        }
        assert!(!answer.text().await.unwrap().contains("<script>"), "{path}");
    }
}
