//! The calls of the month on the page.

use super::site::Site;

/// A gateway whose app has a quota.
async fn site(quota: u32) -> Site {
    let mut site = Site::configured("127.0.0.1", "").await;
    site.rig.amend("[app.main]\n", &format!("[app.main]\nquota = {quota}\n"));
    site.rig.run(&[]).await;
    site.rig.ready().await;
    site
}

/// The panel of a page.
async fn panel(site: &Site, path: &str) -> String {
    let page = site.page(path).await;
    let (_, panel) = page.split_once("aria-labelledby=\"h-month\"").unwrap();
    panel.split("</section>").next().unwrap().to_owned()
}

#[tokio::test]
async fn the_month_is_shown_against_the_quota_with_what_it_comes_to() {
    let site = site(1000).await;
    for words in ["one", "two"] {
        site.rig.answered(&site.rig.say(&site.rig.guest, words)).await;
    }
    site.rig
        .until("both", async || {
            let month = site.rig.status().await.unwrap_or_default()["apps"][0]["month"].clone();
            let used = month["used"].as_u64().unwrap_or_default();
            let shown = panel(&site, "/").await;
            // One that is slow may be sent again.
            let replies = month["calls"]["reply"].as_u64().unwrap_or_default();
            let row = format!("<code>reply</code></th><td class=\"number\">{replies}</td>");
            replies >= 2
                && shown.contains(&format!("<b>{used}</b> / 1,000 calls"))
                && shown.contains(&row)
        })
        .await;
    let shown = panel(&site, "/").await;
    assert!(shown.contains(" by the end of 20"), "{shown}");
    assert!(shown.contains("<svg class=\"month-bar\"") && shown.contains("aria-hidden"), "{shown}");
    let chinese = panel(&site, "/?lang=zh").await;
    assert!(chinese.contains("本月调用") && chinese.contains("照此下去"), "{chinese}");
}

#[tokio::test]
async fn a_quota_that_is_used_up_and_one_that_is_not_set_are_said() {
    let over = site(2).await;
    over.rig.answered(&over.rig.say(&over.rig.guest, "one")).await;
    over.rig
        .until("used up", async || {
            let shown = panel(&over, "/").await;
            shown.contains("month-bad") && shown.contains("Used up, the platform may refuse more")
        })
        .await;
    let none = site(0).await;
    let shown = panel(&none, "/").await;
    assert!(shown.contains("No quota set (<code>app.main.quota</code>)"), "{shown}");
    assert!(!shown.contains("month-bar"), "{shown}");
    assert!(panel(&none, "/?lang=zh").await.contains("未设置配额"));
}
