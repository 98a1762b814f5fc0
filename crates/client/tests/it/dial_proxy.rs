//! Proxies: which URL goes through which, and what a proxy's refusal becomes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use larkline_client::{
    ApiClient, DialError, DialStage, Dialer, NetError, NetOptions, ProxyChoice, ProxyEnv, Secret,
};
use larkline_proto::id::AppId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use url::Url;

use crate::peer::{Peer, closed, dialer, read_request, token};

const PATIENCE: Duration = Duration::from_secs(10);

fn system(variables: &[(&str, &str)]) -> Result<Dialer, NetError> {
    let env: BTreeMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Dialer::new(&NetOptions { env: ProxyEnv::Fixed(env), ..NetOptions::default() })
}

fn route(dialer: &Dialer, url: &str) -> String {
    dialer.route(&Url::parse(url).unwrap())
}

/// How a proxy behaves.
#[derive(Clone, Copy)]
enum Manner {
    /// Reads a CONNECT and says this.
    Http(&'static str),
    /// SOCKS5, with a user and password when told so.
    Socks { auth: bool },
}

/// A proxy that, once it has let us through, echoes as the target would.
struct Proxy {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let words = match manner {
                    Manner::Http(greeting) => http(&mut stream, greeting).await,
                    Manner::Socks { auth } => socks(&mut stream, auth).await,
                };
                log.lock().unwrap().push(words);
                let (mut read, mut write) = stream.split();
                tokio::io::copy(&mut read, &mut write).await.ok();
            }
        });
        Self { address, heard, _tasks: tasks }
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    fn dialer(&self, scheme: &str) -> Dialer {
        dialer(ProxyChoice::Url(Secret::new(format!("{scheme}{}", self.address))))
    }
}

async fn http(stream: &mut TcpStream, greeting: &str) -> String {
    let request = read_request(stream).await.unwrap();
    stream.write_all(greeting.as_bytes()).await.unwrap();
    format!("{}\r\n{}", request.line, request.head)
}

/// RFC 1928 and 1929, the server's side; returns user, password and target as text.
async fn socks(stream: &mut TcpStream, auth: bool) -> String {
    let mut words = String::new();
    let methods = sized(stream, 1).await;
    let method = if auth { 2 } else { 0 };
    assert!(methods.contains(&method));
    stream.write_all(&[5, method]).await.unwrap();
    if auth {
        let user = sized(stream, 1).await;
        let password = sized(stream, 0).await;
        words =
            format!("{}:{} ", String::from_utf8_lossy(&user), String::from_utf8_lossy(&password));
        stream.write_all(&[1, 0]).await.unwrap();
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.unwrap();
    let host = match head[3] {
        3 => String::from_utf8(sized(stream, 0).await).unwrap(),
        1 => std::net::Ipv4Addr::from(stream.read_u32().await.unwrap()).to_string(),
        _ => std::net::Ipv6Addr::from(stream.read_u128().await.unwrap()).to_string(),
    };
    let port = stream.read_u16().await.unwrap();
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
    format!("{words}{host}:{port}")
}

/// Skips some bytes, then reads a length and as many bytes.
async fn sized(stream: &mut TcpStream, skip: usize) -> Vec<u8> {
    stream.read_exact(&mut vec![0; skip]).await.unwrap();
    let mut bytes = vec![0; stream.read_u8().await.unwrap().into()];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn refused(greeting: &'static str) -> DialError {
    let proxy = Proxy::start(Manner::Http(greeting)).await;
    let url = Url::parse("wss://ws.example.com/x?ticket=t").unwrap();
    proxy.dialer("http://me:s3cret@").connect(&url, PATIENCE).await.unwrap_err()
}

#[tokio::test]
async fn a_websocket_passes_connect_with_credentials_and_loses_no_byte() {
    // The target's greeting rides in the same segment as the proxy's answer.
    let proxy = Proxy::start(Manner::Http("HTTP/1.1 200 Connected\r\nx: y\r\n\r\nhello")).await;
    let url = Url::parse("ws://ws.example.com:8080/x?ticket=t").unwrap();
    let dialer = proxy.dialer("http://me:pa%20ss@");
    let mut connection = dialer.connect(&url, PATIENCE).await.unwrap();
    let mut greeting = [0; 5];
    connection.io.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"hello");
    connection.io.write_all(b"ping!").await.unwrap();
    connection.io.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"ping!");
    assert_eq!(connection.peer_addr.unwrap().to_string(), proxy.address);

    let heard = proxy.heard().remove(0);
    assert!(heard.starts_with("CONNECT ws.example.com:8080 HTTP/1.1\r\n"), "{heard}");
    assert!(heard.contains("Host: ws.example.com:8080\r\n"));
    // base64 of "me:pa ss"
    assert!(heard.contains("Proxy-Authorization: Basic bWU6cGEgc3M=\r\n"));
    assert!(!heard.contains("ticket"));
}

#[tokio::test]
async fn a_call_passes_the_same_proxy_with_the_same_credentials() {
    let proxy = Peer::start(|_| token("t-1")).await;
    let mut address = proxy.url.clone();
    address.set_username("me").unwrap();
    address.set_password(Some("pw")).unwrap();
    let dialer = dialer(ProxyChoice::Url(Secret::new(address.as_str())));
    let domain = Url::parse("http://open.example.com").unwrap();
    let app = AppId::new("cli_a1b2c3d4e5f60718");
    ApiClient::new(dialer, domain, app, Secret::new("s")).verify().await.unwrap();
    let heard = proxy.requests().remove(0);
    assert!(heard.line.starts_with("POST http://open.example.com/open-apis/"), "{}", heard.line);
    assert!(heard.has("proxy-authorization: Basic bWU6cHc="));
}

#[tokio::test]
async fn a_proxy_that_wants_credentials_is_reported_as_407() {
    let error = refused(
        "HTTP/1.1 407 Proxy Authentication Required\r\n\
         Proxy-Authenticate: NTLM\r\nproxy-authenticate: Negotiate x\r\n\r\n",
    )
    .await;
    assert_eq!((error.stage(), error.code()), (DialStage::Proxy, "proxy_auth"));
    let words = error.to_string();
    assert!(words.contains("http proxy http://me:***@127.0.0.1:"), "{words}");
    assert!(
        words.contains("407 Proxy Authentication Required, it offers NTLM, Negotiate"),
        "{words}"
    );
    assert!(!words.contains("s3cret"), "{words}");
}

#[tokio::test]
async fn a_call_refused_by_the_proxy_says_so_too() {
    let proxy = Proxy::start(Manner::Http("HTTP/1.1 407 No\r\n\r\n")).await;
    let domain = Url::parse("https://open.example.com").unwrap();
    let app = AppId::new("cli_a1b2c3d4e5f60718");
    let client = ApiClient::new(proxy.dialer("http://"), domain, app, Secret::new("s"));
    let error = client.verify().await.unwrap_err();
    assert_eq!(error.code(), "proxy_auth");
    assert!(error.to_string().contains("HTTP/1.1 407 No"), "{error}");
}

#[tokio::test]
async fn other_refusals_of_a_proxy_keep_its_words() {
    let forbidden = refused("HTTP/1.1 403 Blocked by policy\r\n\r\n").await;
    assert_eq!(forbidden.code(), "proxy_refused");
    assert!(forbidden.to_string().contains("403 Blocked by policy"), "{forbidden}");
    let nonsense = refused("\u{5}\u{ff} what\r\n\r\n").await;
    assert_eq!(nonsense.code(), "proxy_protocol");
    let endless: &'static str = Box::leak("x".repeat(9000).into_boxed_str());
    assert_eq!(refused(endless).await.code(), "proxy_protocol");
}

#[tokio::test]
async fn a_silent_proxy_costs_the_dial_its_time_and_no_more() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", silent.local_addr().unwrap());
    let dialer = dialer(ProxyChoice::Url(Secret::new(address)));
    let url = Url::parse("wss://ws.example.com").unwrap();
    let error = dialer.connect(&url, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, DialError::Timeout { stage: DialStage::Proxy, .. }), "{error}");
}

#[test]
fn a_process_that_may_open_no_more_files_blames_no_network() {
    let source = || std::io::Error::from_raw_os_error(24);
    let (host, to, proxy) = ("h".to_owned(), "h:443".to_owned(), "proxy".to_owned());
    for error in [
        DialError::Dns { host, source: source() },
        DialError::Tcp { to, source: source() },
        DialError::ProxyUnreachable { proxy, source: source() },
    ] {
        assert_eq!(error.code(), "open_files", "{error}");
        let said = error.to_string();
        assert!(said.contains("ulimit -n") && !said.contains("check"), "{said}");
    }
}

#[tokio::test]
async fn an_absent_proxy_is_told_from_an_absent_target() {
    let (_closed, address) = closed();
    let url = Url::parse(&format!("ws://{address}")).unwrap();
    let proxied = dialer(ProxyChoice::Url(Secret::new(format!("http://{address}"))));
    assert_eq!(proxied.connect(&url, PATIENCE).await.unwrap_err().code(), "proxy_unreachable");
    let direct = dialer(ProxyChoice::None);
    assert_eq!(direct.connect(&url, PATIENCE).await.unwrap_err().code(), "tcp_failed");
    // Longer than a label may be, so that no server is asked.
    let nameless = Url::parse(&format!("ws://{}", "x".repeat(64))).unwrap();
    assert_eq!(direct.connect(&nameless, PATIENCE).await.unwrap_err().code(), "dns_failed");
}

#[tokio::test]
async fn socks5h_lets_the_proxy_resolve_and_socks5_does_not() {
    let url = Url::parse("ws://localhost:8080").unwrap();
    let proxy = Proxy::start(Manner::Socks { auth: false }).await;
    let mut connection = proxy.dialer("socks5h://").connect(&url, PATIENCE).await.unwrap();
    connection.io.write_all(b"echo").await.unwrap();
    let mut echo = [0; 4];
    connection.io.read_exact(&mut echo).await.unwrap();
    assert_eq!(&echo, b"echo");
    drop(connection);
    proxy.dialer("socks5://").connect(&url, PATIENCE).await.unwrap();
    let heard = proxy.heard();
    assert_eq!(heard[0], "localhost:8080");
    assert!(heard[1] == "127.0.0.1:8080" || heard[1] == "::1:8080", "{}", heard[1]);
}

#[tokio::test]
async fn socks_credentials_are_used() {
    let proxy = Proxy::start(Manner::Socks { auth: true }).await;
    let url = Url::parse("ws://only.the.proxy.knows:443").unwrap();
    proxy.dialer("socks5h://me:pw@").connect(&url, PATIENCE).await.unwrap();
    assert_eq!(proxy.heard(), ["me:pw only.the.proxy.knows:443"]);
}

#[tokio::test]
async fn a_socks_proxy_that_is_none_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("socks5h://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.ok();
    });
    let url = Url::parse("ws://ws.example.com").unwrap();
    let dialer = dialer(ProxyChoice::Url(Secret::new(address)));
    let error = dialer.connect(&url, PATIENCE).await.unwrap_err();
    assert_eq!((error.stage(), error.code()), (DialStage::Proxy, "proxy_refused"));
}

#[test]
fn no_proxy_knows_hosts_suffixes_addresses_networks_and_the_star() {
    let through = "http proxy http://p:3128";
    let rules = [
        ("open.feishu.cn", "wss://open.feishu.cn", "direct"),
        ("feishu.cn", "wss://msg-frontier.feishu.cn/ws", "direct"),
        (".feishu.cn", "https://open.feishu.cn", "direct"),
        ("*.feishu.cn", "https://open.feishu.cn", "direct"),
        ("feishu.cn", "https://notfeishu.cn", through),
        ("OPEN.feishu.CN", "https://open.feishu.cn", "direct"),
        ("10.0.0.0/8, 192.168.1.1", "ws://10.1.2.3:9", "direct"),
        ("10.0.0.0/8, 192.168.1.1", "ws://192.168.1.1:9", "direct"),
        ("10.0.0.0/8", "ws://11.1.2.3:9", through),
        ("::1", "ws://[::1]:9", "direct"),
        ("*", "https://open.feishu.cn", "direct"),
        ("", "https://open.feishu.cn", through),
    ];
    for (no_proxy, url, wanted) in rules {
        let dialer = system(&[("ALL_PROXY", "http://p:3128"), ("NO_PROXY", no_proxy)]).unwrap();
        assert_eq!(route(&dialer, url), wanted, "NO_PROXY={no_proxy} {url}");
    }
}

#[test]
fn variables_count_by_scheme_in_both_cases_and_none_means_none() {
    let both = [
        ("http_proxy", "plain:1"),
        ("HTTPS_PROXY", "http://u:pw@tls:2"),
        ("all_proxy", "socks5h://rest:3"),
    ];
    let dialer = system(&both).unwrap();
    assert_eq!(route(&dialer, "ws://h"), "http proxy http://plain:1");
    assert_eq!(route(&dialer, "wss://h"), "http proxy http://u:***@tls:2");
    assert_eq!(route(&dialer, "https://h"), route(&dialer, "wss://h"));
    let rest = system(&both[2..]).unwrap();
    assert_eq!(route(&rest, "wss://h"), "socks5 proxy socks5h://rest:3");
    let env = ProxyEnv::Fixed(BTreeMap::from([("ALL_PROXY".to_owned(), "http://p:1".to_owned())]));
    let none = NetOptions { proxy: ProxyChoice::None, env: env.clone(), ..NetOptions::default() };
    assert_eq!(route(&Dialer::new(&none).unwrap(), "wss://h"), "direct");
    let except = NetOptions { no_proxy: Some("h".to_owned()), env, ..NetOptions::default() };
    assert_eq!(route(&Dialer::new(&except).unwrap(), "wss://h"), "direct");
}

#[tokio::test]
async fn what_goes_around_the_proxy_does_so_for_calls_and_sockets() {
    let peer = Peer::start(|_| token("t-1")).await;
    // Whoever takes the proxy fails.
    let (_closed, address) = closed();
    let proxy = format!("http://{address}");
    let variables = [("ALL_PROXY", proxy.as_str()), ("NO_PROXY", "127.0.0.1")];
    let dialer = system(&variables).unwrap();
    dialer.connect(&peer.url, PATIENCE).await.unwrap();
    let app = AppId::new("cli_a1b2c3d4e5f60718");
    ApiClient::new(dialer, peer.url.clone(), app, Secret::new("s")).verify().await.unwrap();
}

#[test]
fn an_unusable_proxy_address_names_its_setting_and_not_its_password() {
    for bad in ["ftp://me:s3cret@h", "http://me:s3cret@", "http://me:s3cret@h:port", "socks4://h"] {
        let error = system(&[("HTTPS_PROXY", bad)]).unwrap_err();
        let NetError::ProxyAddress { setting, .. } = &error else { panic!("{error}") };
        assert_eq!(*setting, "HTTPS_PROXY");
        assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    }
}

#[tokio::test]
async fn a_url_that_cannot_be_dialled_is_refused_without_its_query() {
    let url = Url::parse("ftp://h/x?ticket=t").unwrap();
    let error = dialer(ProxyChoice::None).connect(&url, PATIENCE).await.unwrap_err();
    assert_eq!((error.stage(), error.code()), (DialStage::Address, "dial_address"));
    assert!(!error.to_string().contains("ticket"));
}

#[test]
fn a_password_is_never_shown_and_never_costs_the_proxy() {
    for password in ["s3cret", "s3cret^|", "s3cret%5E", "s3cret密码"] {
        let env = ProxyEnv::Fixed(BTreeMap::from([(
            "ALL_PROXY".to_owned(),
            format!("http://me:{password}@p:3128"),
        )]));
        let options = NetOptions { env, ..NetOptions::default() };
        let dialer = Dialer::new(&options).unwrap();
        assert_eq!(route(&dialer, "wss://h"), "http proxy http://me:***@p:3128");
        assert!(!format!("{options:?} {dialer:?}").contains("s3cret"), "{password}");
    }
}
