//! A browser, and what a test does with it.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use thirtyfour::{ChromiumLikeCapabilities, DesiredCapabilities, LoggingPrefsLogLevel, prelude::*};

use crate::support::http_client;

/// How long a page may take to show what is waited for. Debug builds on busy machines are slow.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(40);

/// What tells accessible from not (npm: axe-core 4.14.1, as it was published).
const AXE: &str = include_str!("vendor/axe.min.js");
const AXE_HASH: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

/// A browser with nothing in it, at a shop.
pub struct Browser {
    pub driver: WebDriver,
    base: String,
    service: Child,
    /// Its profile, gone with it.
    _profile: tempfile::TempDir,
    /// What the console may say: parts of messages.
    expected: Mutex<Vec<String>>,
}

/// Where the browser and its driver are; `None` after saying that they are not.
pub fn found() -> Option<(PathBuf, PathBuf)> {
    let path = env::var_os("PATH").unwrap_or_default();
    let find = |names: &[&str]| {
        let all = env::split_paths(&path).flat_map(|dir| names.iter().map(move |name| dir.join(name)));
        all.into_iter().find(|file| file.is_file())
    };
    let found = find(&["chromium", "chromium-browser", "google-chrome"]).zip(find(&["chromedriver"]));
    if found.is_none() {
        eprintln!(
            "skipped: there is no Chromium with its chromedriver (Debian: apt-get install chromium-driver)"
        );
    }
    found
}

impl Browser {
    /// Starts one that looks at this shop, as wide as a desk's.
    pub async fn start((chromium, chromedriver): &(PathBuf, PathBuf), base: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut service = Command::new(chromedriver);
        service.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut service = service.spawn().unwrap();
        let mut lines = BufReader::new(service.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.unwrap();
            let port = line.split("on port ").nth(1)?.trim_end_matches('.').trim().to_owned();
            line.contains("started successfully").then_some(port)
        });
        // It goes on writing, and must not be stopped by a pipe that is full.
        std::thread::spawn(move || lines.for_each(drop));
        let mut wanted = DesiredCapabilities::chrome();
        wanted.set_binary(chromium.to_str().unwrap()).unwrap();
        wanted.set_browser_log_level(LoggingPrefsLogLevel::All).unwrap();
        for flag in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--window-size=1440,1000",
            &format!("--user-data-dir={}", profile.path().display()),
        ] {
            wanted.add_arg(flag).unwrap();
        }
        let client = http_client().timeout(Duration::from_secs(60)).build().unwrap();
        let driver = WebDriver::builder(format!("http://127.0.0.1:{}", port.unwrap()), wanted).client(client);
        let driver = driver.connect().await.unwrap();
        let expected = Mutex::new(Vec::new());
        let browser = Self { driver, base: base.to_owned(), service, _profile: profile, expected };
        browser.view(1440, "light").await;
        browser
    }

    /// Ends it; fails where the console has said what was not expected.
    pub async fn end(self) {
        self.demand_quiet().await;
        self.driver.clone().quit().await.unwrap();
    }

    /// The console may say this, in this test.
    pub fn expect(&self, part: &str) {
        self.expected.lock().unwrap().push(part.to_owned());
    }

    /// Fails where the console has said what was not expected.
    pub async fn demand_quiet(&self) {
        let said = self.driver.browser_log().await.unwrap();
        let expected = self.expected.lock().unwrap().clone();
        let wrong = said.iter().filter(|entry| matches!(entry.level.as_str(), "SEVERE" | "WARNING"));
        let wrong: Vec<_> =
            wrong.filter(|entry| !expected.iter().any(|part| entry.message.contains(part))).collect();
        assert!(wrong.is_empty(), "the console says: {wrong:#?}");
    }

    /// How wide the window is, and the theme that the system asks for. Nothing moves, so that nothing is caught midway.
    pub async fn view(&self, width: u32, theme: &str) {
        let height = if width < 500 { 844 } else { 1000 };
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({
                "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500
            }),
        )
        .await;
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({"features": [
                {"name": "prefers-color-scheme", "value": theme},
                {"name": "prefers-reduced-motion", "value": "reduce"}
            ]}),
        )
        .await;
    }

    /// A command of the developer tools' protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(command, parameters).await.unwrap()
    }

    /// Goes to a path of the shop, as if it had been typed.
    pub async fn open(&self, path: &str) {
        self.driver.goto(format!("{}{path}", self.base)).await.unwrap();
    }

    /// What an expression is now.
    pub async fn value(&self, expression: &str) -> Value {
        self.driver.execute(format!("return ({expression})"), Vec::new()).await.unwrap().json().clone()
    }

    /// Waits until an expression is true; says what the page shows where it does not come true.
    #[track_caller]
    pub fn until<'a>(&'a self, expression: &'a str) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE {
                let found = self.driver.execute(format!("return Boolean({expression})"), Vec::new()).await;
                if found.is_ok_and(|found| found.json() == &json!(true)) {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
            self.picture("failed").await;
            let page =
                self.value("document.querySelector('#page')?.innerText ?? document.body.innerText").await;
            let address = self.value("location.href").await;
            panic!("{caller}: not so: {expression}\n{address}\n{}", page.as_str().unwrap_or_default());
        }
    }

    /// Waits until there is an element for which this holds: `e` in the expression.
    #[track_caller]
    pub fn sees<'a>(&'a self, css: &'a str) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let script = format!("document.querySelector({})", json!(css));
            let _ = caller;
            self.until(&script).await;
        }
    }

    /// Waits until the page says this somewhere.
    #[track_caller]
    pub fn reads<'a>(&'a self, text: &'a str) -> impl Future<Output = ()> + 'a {
        async move {
            self.until(&format!("document.body.innerText.includes({})", json!(text))).await;
        }
    }

    /// Clicks the first element that fits, once it is there.
    pub async fn click(&self, css: &str) {
        self.sees(css).await;
        let element = self.driver.find(By::Css(css)).await.unwrap();
        element.scroll_into_view().await.unwrap();
        element.click().await.unwrap();
    }

    /// Clicks what is called so: a button, a link or a label.
    pub async fn press(&self, name: &str) {
        let find = format!(
            "[...document.querySelectorAll('button, a, label, summary')].filter((e) => e.checkVisibility() && \
             (e.getAttribute('aria-label') ?? e.innerText).trim().startsWith({}))",
            json!(name)
        );
        self.until(&format!("{find}.length > 0")).await;
        // Where a dialog is open, what is within it is meant.
        let script =
            format!("const found = {find}; return found.find((e) => e.closest('dialog[open]')) ?? found[0];");
        let found = self.driver.execute(script, Vec::new()).await.unwrap().element().unwrap();
        found.scroll_into_view().await.unwrap();
        found.click().await.unwrap();
    }

    /// Types into a field, in place of what is there.
    pub async fn fill(&self, css: &str, text: &str) {
        self.sees(css).await;
        let field = self.driver.find(By::Css(css)).await.unwrap();
        // As people do: emptied by a script, a field would not tell its page.
        field.send_keys(Key::Control + "a").await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses keys, wherever the focus is.
    pub async fn keys(&self, keys: impl Into<TypingData>) {
        self.driver.action_chain().send_keys(keys).perform().await.unwrap();
    }

    /// What has the focus, in words.
    pub async fn focused(&self) -> String {
        let script = "(() => { const e = document.activeElement; return (e.getAttribute('aria-label') ?? \
                      (e.labels?.[0]?.innerText || e.innerText) ?? e.tagName).trim() || e.tagName; })()";
        self.value(script).await.as_str().unwrap_or_default().to_owned()
    }

    /// Takes a picture, for people.
    pub async fn picture(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        fs::create_dir_all(&folder).unwrap();
        self.driver.screenshot(&folder.join(format!("{name}.png"))).await.unwrap();
    }

    /// Demands that nothing on the page keeps somebody out: axe-core's rules for WCAG 2.2 AA.
    pub async fn demand_accessible(&self, of: &str) {
        self.driver.execute(AXE, Vec::new()).await.unwrap();
        let script = "const done = arguments[arguments.length - 1]; axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', \
                      'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then((r) => done({passes: r.passes.length, \
                      violations: r.violations.map((v) => `${v.id}: ${v.help}\\n` + v.nodes.map((n) => `    \
                      ${n.html.slice(0, 200)}\\n    ${n.failureSummary}`).join('\\n'))}), (e) => done({violations: [String(e)]}))";
        let found = self.driver.execute_async(script, Vec::new()).await.unwrap().json().clone();
        let wrong: Vec<&str> =
            found["violations"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(wrong.is_empty(), "{of} keeps people out:\n{}", wrong.join("\n"));
        assert!(
            found["passes"].as_u64().is_some_and(|passes| passes > 10),
            "{of}: hardly anything was looked at"
        );
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

#[test]
fn the_judge_is_as_it_was_published() {
    use sha2::{Digest, Sha256};
    let hash: String = Sha256::digest(AXE).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hash, AXE_HASH);
}
