//! The last day of a link is there after a stop, a kill, and whatever the store holds of it.

use super::site::Site;

const MINUTE_MS: i64 = 60_000;

/// A gateway whose clock a file moves.
async fn site() -> Site {
    let mut site = Site::configured("127.0.0.1", "").await;
    site.rig.env.insert("LARKLINE_CLOCK", site.rig.path("clock").display().to_string());
    run(&mut site, 0).await;
    site
}

/// Starts it, so many minutes from now.
async fn run(site: &mut Site, minutes: i64) {
    std::fs::write(site.rig.path("clock"), (minutes * MINUTE_MS).to_string()).unwrap();
    site.rig.run(&[]).await;
    site.rig.ready().await;
}

/// The bars of the page: kind and width in minutes.
async fn bars(site: &Site) -> Vec<(String, usize)> {
    let page = site.page("/").await;
    let bars = page.split("class=\"bar bar-").skip(1).map(|bar| {
        let (kind, rest) = bar.split_once('"').unwrap();
        let (_, width) = rest.split_once(" width=\"").unwrap();
        (kind.to_owned(), width.split('"').next().unwrap().parse().unwrap())
    });
    bars.collect()
}

async fn width(site: &Site, wanted: &str) -> usize {
    let bars = bars(site).await.into_iter();
    bars.filter(|(kind, _)| kind == wanted).map(|(_, width)| width).sum()
}

/// Waits until the store has so many minutes of outages.
async fn kept(site: &Site, minutes: usize) {
    let file = site.rig.path("state/larkline.db");
    let marks = || {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let books = rusqlite::Connection::open_with_flags(&file, flags).unwrap();
        let query = "SELECT value FROM fact WHERE name = 'pulse:main'";
        let text: String = books.query_row(query, [], |row| row.get(0)).unwrap();
        let stored: serde_json::Value = serde_json::from_str(&text).unwrap();
        stored["marks"].as_str().unwrap().matches('d').count()
    };
    site.rig.until("what is kept without a stop", async || marks() >= minutes).await;
}

/// A minute in which the link was down.
async fn outage(site: &Site) {
    let before = width(site, "down").await;
    site.rig.fault(larkline_sim::Fault::Offline);
    site.rig.fault(larkline_sim::Fault::Rst);
    site.rig.until("down", async || width(site, "down").await > before).await;
    site.rig.fault(larkline_sim::Fault::Clear);
    site.rig.ready().await;
}

#[tokio::test]
async fn the_strip_is_kept_over_a_stop_and_a_kill_and_the_gap_is_shown_as_not_running() {
    let mut site = site().await;
    outage(&site).await;
    let down = width(&site, "down").await;
    assert_eq!(width(&site, "away").await, 0, "nothing ran before, and nobody knows");
    assert!(site.rig.stop().await.success());
    run(&mut site, 10).await;
    // A minute may pass while this looks.
    let gap = |minutes: usize| (9..=14).contains(&minutes);
    let away = width(&site, "away").await;
    assert!(gap(away), "{away} in {:?}", bars(&site).await);
    assert!(width(&site, "down").await >= down, "{:?}", bars(&site).await);
    let page = site.page("/").await;
    assert!(page.contains("not running ") && page.contains("down 1×"), "{page}");
    assert!(site.page("/?lang=zh").await.contains("未运行 "), "both languages");
    outage(&site).await;
    kept(&site, down + 1).await;
    let before = width(&site, "away").await;
    site.rig.kill9().await;
    run(&mut site, 20).await;
    let away = width(&site, "away").await;
    assert!(gap(away - before), "{before} and {away} in {:?}", bars(&site).await);
    assert!(site.page("/").await.contains("down 2×"), "{:?}", bars(&site).await);
}

#[tokio::test]
async fn a_strip_that_cannot_be_read_is_empty_and_said_and_nothing_else() {
    let mut site = site().await;
    outage(&site).await;
    for odd in ["{\"version\":9,\"hours\":[]}", "no form at all"] {
        assert!(site.rig.stop().await.success());
        let books = rusqlite::Connection::open(site.rig.path("state/larkline.db")).unwrap();
        let changed = books.execute("UPDATE fact SET value = ?1 WHERE name = 'pulse:main'", [odd]);
        assert_eq!(changed.unwrap(), 1);
        drop(books);
        let said = |log: &str| log.matches("strip_unreadable").count();
        let before = said(&site.rig.log());
        run(&mut site, 10).await;
        assert_eq!(said(&site.rig.log()), before + 1, "{}", site.rig.log());
        let bars = bars(&site).await;
        assert!(bars.iter().all(|(kind, _)| kind != "down" && kind != "away"), "{bars:?}");
    }
}

#[tokio::test]
async fn a_start_with_a_clock_that_is_behind_keeps_the_strip() {
    let mut site = site().await;
    outage(&site).await;
    let down = width(&site, "down").await;
    assert!(site.rig.stop().await.success());
    run(&mut site, -600).await;
    assert_eq!(width(&site, "down").await, 0, "it is still to come: {:?}", bars(&site).await);
    // The clock is set right; at once, as half a number is another time.
    std::fs::write(site.rig.path("clock.new"), (10 * MINUTE_MS).to_string()).unwrap();
    std::fs::rename(site.rig.path("clock.new"), site.rig.path("clock")).unwrap();
    site.rig.until("the strip", async || width(&site, "down").await >= down).await;
    let away = width(&site, "away").await;
    assert!((9..=14).contains(&away), "{away} in {:?}", bars(&site).await);
}
