//! With a token: a form, a cookie, and the token nowhere.

use reqwest::{Method, Response, StatusCode};

use super::site::Site;

const TOKEN: &str = "open-sesame-open-sesame";

/// What a token guards.
const GUARDED: [&str; 7] = [
    "/",
    "/dashboard/story?key=x",
    "/dashboard/config",
    "/dashboard/feed",
    "/api/status",
    "/api/messages",
    "/api/dead",
];

fn cookie(response: &Response) -> Option<&str> {
    response.headers().get("set-cookie")?.to_str().ok()
}

#[tokio::test]
async fn beyond_loopback_the_dashboard_asks_for_the_token() {
    let site = Site::listening("0.0.0.0", &format!("token = \"{TOKEN}\"")).await;
    let letter = site.dead().await;
    for path in GUARDED {
        let answer = site.get(path).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert!(!answer.text().await.unwrap().contains("please fail"), "{path}");
    }
    let deed = site.request(Method::POST, &format!("/dashboard/dead/{letter}/drop"));
    assert_eq!(deed.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let log_in = async |token: &str| {
        let post = site.request(Method::POST, "/dashboard/login?lang=zh");
        post.form(&[("token", token)]).send().await.unwrap()
    };
    let wrong = log_in("open-sesame-open-sesamf").await;
    assert_eq!((wrong.status(), cookie(&wrong)), (StatusCode::UNAUTHORIZED, None));
    assert!(wrong.text().await.unwrap().contains("令牌不对"));
    let right = log_in(TOKEN).await;
    assert_eq!(right.status(), StatusCode::SEE_OTHER);
    assert_eq!(right.headers()["location"], "/?lang=zh");
    let set = cookie(&right).unwrap();
    for wanted in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(set.contains(wanted), "{wanted} in {set}");
    }
    let session = set.split(';').next().unwrap().to_owned();
    let with = async |method: Method, path: &str, cookie: &str| {
        site.request(method, path).header("cookie", cookie).send().await.unwrap()
    };
    let page = with(Method::GET, "/", &session).await;
    assert_eq!(page.status(), StatusCode::OK);
    let page = page.text().await.unwrap();
    let until = session.split(['=', '.']).nth(1).unwrap();
    let later = (until.parse::<i64>().unwrap() + 1).to_string();
    for forged in
        [session.replace(until, &later), format!("{session}0"), session.replace("larkline_", "x_")]
    {
        assert_eq!(
            with(Method::GET, "/", &forged).await.status(),
            StatusCode::UNAUTHORIZED,
            "{forged}"
        );
    }
    let bearer = site.request(Method::GET, "/api/status").bearer_auth(TOKEN);
    assert_eq!(bearer.send().await.unwrap().status(), StatusCode::OK);
    let mark = Site::mark(&page);
    let left = site.request(Method::POST, "/dashboard/logout").header("cookie", &session);
    let left = left.form(&[("mark", &mark)]).send().await.unwrap();
    assert!(cookie(&left).unwrap().contains("Max-Age=0"));
    assert_eq!(site.letters().await, 1, "nobody decided about it");
    for text in [page, set.to_owned(), site.rig.log()] {
        assert!(!text.contains(TOKEN), "the token is in {text}");
    }
}

#[tokio::test]
async fn no_secret_is_on_any_page() {
    let site = Site::start("").await;
    site.dead().await;
    let secret = larkline_sim::AppSpec::default().app_secret;
    let paths = [
        "/",
        "/dashboard/config",
        "/dashboard/config?part=true&lang=zh",
        "/api/status",
        "/api/dead",
    ];
    for path in paths {
        let page = site.page(path).await;
        for secret in [secret.as_str(), "very-secret-printer-key"] {
            assert!(!page.contains(secret), "{secret} in {path}");
        }
    }
    let config = site.page("/dashboard/config").await;
    let (_, row) = config.split_once("app.main.app_secret").unwrap();
    assert!(row.split("</tr>").next().unwrap().contains("***"), "{row}");
    assert!(config.contains("handler.printer.argv"), "the rest is shown");
}
