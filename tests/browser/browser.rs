//! A browser, and what a test does with it.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::driver::{Driver, key};

/// How long a page may take to show what is waited for. Debug builds on busy machines are slow.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(40);

/// What tells accessible from not (npm: axe-core 4.14.1, as it was published).
const AXE: &str = include_str!("vendor/axe.min.js");
const AXE_HASH: &str = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c";

/// A browser with nothing in it, at a shop.
pub struct Browser {
    driver: Driver,
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

/// Starts a driver: its process, and its port. `None` where it has ended instead.
fn serve(chromedriver: &Path) -> Option<(Child, String)> {
    let mut service = Command::new(chromedriver);
    service.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut service = service.spawn().unwrap();
    let mut lines = BufReader::new(service.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| {
        let line = line.unwrap();
        let port = line.split("on port ").nth(1)?.trim_end_matches('.').trim().to_owned();
        line.contains("started successfully").then_some(port)
    });
    let Some(port) = port else {
        service.wait().unwrap();
        return None;
    };
    // It goes on writing, and must not be stopped by a pipe that is full.
    std::thread::spawn(move || lines.for_each(drop));
    Some((service, port))
}

impl Browser {
    /// Starts one that looks at this shop, as wide as a desk's.
    pub async fn start((chromium, chromedriver): &(PathBuf, PathBuf), base: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // It ends where the port that it was given is taken for the other version of IP.
        let (service, port) = (0..5).find_map(|_| serve(chromedriver)).expect("chromedriver starts");
        let flags = [
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
        ];
        let wanted = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": chromium, "args": flags},
        });
        let driver = Driver::connect(&format!("http://127.0.0.1:{port}"), &wanted).await;
        let expected = Mutex::new(Vec::new());
        let browser = Self { driver, base: base.to_owned(), service, _profile: profile, expected };
        browser.view(1440, "light").await;
        browser
    }

    /// Ends it; fails where the console has said what was not expected.
    pub async fn end(self) {
        self.demand_quiet().await;
        self.leave().await;
    }

    /// Closes the browser, whatever it has said.
    pub async fn leave(&self) {
        let _ = self.driver.ask("DELETE", "", None).await;
    }

    /// The console may say this, in this test.
    pub fn expect(&self, part: &str) {
        self.expected.lock().unwrap().push(part.to_owned());
    }

    /// Fails where the console has said what was not expected.
    pub async fn demand_quiet(&self) {
        let said = self.driver.tell("/se/log", &json!({"type": "browser"})).await;
        let expected = self.expected.lock().unwrap().clone();
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let wrong =
            said.as_array().unwrap().iter().map(|entry| (text(entry, "level"), text(entry, "message")));
        let wrong = wrong.filter(|(level, _)| matches!(level.as_str(), "SEVERE" | "WARNING"));
        let wrong: Vec<_> =
            wrong.filter(|(_, message)| !expected.iter().any(|part| message.contains(part))).collect();
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
        self.driver.tell("/goog/cdp/execute", &json!({"cmd": command, "params": parameters})).await
    }

    /// Goes to a path of the shop, as if it had been typed.
    pub async fn open(&self, path: &str) {
        self.driver.tell("/url", &json!({"url": format!("{}{path}", self.base)})).await;
    }

    /// Runs a script: what it returns.
    pub async fn run(&self, script: &str) -> Value {
        self.driver.tell("/execute/sync", &json!({"script": script, "args": []})).await
    }

    /// Runs a script that calls its last argument when it is done: with what.
    pub async fn run_until_done(&self, script: &str, argument: Value) -> Value {
        self.driver.tell("/execute/async", &json!({"script": script, "args": [argument]})).await
    }

    /// Back in the history.
    pub async fn back(&self) {
        self.driver.tell("/back", &json!({})).await;
    }

    /// Forward again.
    pub async fn forward(&self) {
        self.driver.tell("/forward", &json!({})).await;
    }

    /// What an expression is now.
    pub async fn value(&self, expression: &str) -> Value {
        self.run(&format!("return ({expression})")).await
    }

    /// Waits until an expression is true; says what the page shows where it does not come true.
    #[track_caller]
    pub fn until<'a>(&'a self, expression: &'a str) -> impl Future<Output = ()> + 'a {
        let caller = std::panic::Location::caller();
        async move {
            let begun = Instant::now();
            while begun.elapsed() < PATIENCE {
                let asked = json!({"script": format!("return Boolean({expression})"), "args": []});
                let found = self.driver.ask("POST", "/execute/sync", Some(&asked)).await;
                if found == Ok(json!(true)) {
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
    pub async fn sees(&self, css: &str) {
        self.until(&format!("document.querySelector({})", json!(css))).await;
    }

    /// Waits until the page says this somewhere.
    pub async fn reads(&self, text: &str) {
        self.until(&format!("document.body.innerText.includes({})", json!(text))).await;
    }

    /// Clicks the first element that fits, once it is there.
    pub async fn click(&self, css: &str) {
        self.sees(css).await;
        self.click_what(&format!("return document.querySelector({})", json!(css))).await;
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
        let find =
            format!("const found = {find}; return found.find((e) => e.closest('dialog[open]')) ?? found[0]");
        self.click_what(&find).await;
    }

    /// Clicks what a script returns, in the middle of the window, where nothing lies over it.
    async fn click_what(&self, script: &str) {
        let centred = format!(
            "const e = (() => {{ {script} }})(); e?.scrollIntoView({{block: 'center', behavior: 'instant'}}); return e;"
        );
        self.act(&centred, "click", json!({})).await;
    }

    /// Types into a field, in place of what is there; as people do, since one that a script has emptied would not tell
    /// its page.
    pub async fn fill(&self, css: &str, text: &str) {
        self.sees(css).await;
        // What is no text (a date, a choice) cannot be marked, and takes the place of what is there by itself.
        let is_text = "document.activeElement.matches('textarea, input:not([type=date], [type=datetime-local], [type=time])')";
        self.run(&format!("document.querySelector({}).focus()", json!(css))).await;
        let marks_all = match self.value(is_text).await {
            Value::Bool(true) => format!("{}a{}", key::CONTROL, key::NONE),
            _ => String::new(),
        };
        let find = format!("return document.querySelector({})", json!(css));
        self.act(&find, "value", json!({"text": format!("{marks_all}{text}")})).await;
    }

    /// Does something to what a script returns. A page that is being drawn may not show it yet, or put another in its
    /// place: then nothing was done, and it is looked for again, as people would.
    async fn act(&self, find: &str, action: &str, body: Value) {
        const NOT_YET: [&str; 3] =
            ["element not interactable", "element click intercepted", "stale element reference"];
        let begun = Instant::now();
        loop {
            let found = self.run(find).await;
            let path = format!("/element/{}/{action}", Driver::element(&found));
            match self.driver.ask("POST", &path, Some(&body)).await {
                Ok(_) => return,
                Err(said)
                    if begun.elapsed() < PATIENCE && NOT_YET.iter().any(|known| said.starts_with(known)) =>
                {
                    tokio::time::sleep(LOOK).await;
                }
                Err(said) => panic!("{action}: {said}\n{find}"),
            }
        }
    }

    /// Chooses a file, as the browser's own window for it would.
    pub async fn choose(&self, css: &str, file: &Path) {
        let found = self.run(&format!("return document.querySelector({})", json!(css))).await;
        let path = format!("/element/{}/value", Driver::element(&found));
        self.driver.tell(&path, &json!({"text": file.to_str().unwrap()})).await;
    }

    /// Presses keys one after the other, wherever the focus is.
    pub async fn keys(&self, keys: &str) {
        let press = |key| [json!({"type": "keyDown", "value": key}), json!({"type": "keyUp", "value": key})];
        let presses: Vec<Value> = keys.chars().map(|key| key.to_string()).flat_map(press).collect();
        let actions = json!({"actions": [{"type": "key", "id": "keyboard", "actions": presses}]});
        self.driver.tell("/actions", &actions).await;
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
        let picture = self.driver.ask("GET", "/screenshot", None).await.unwrap();
        let picture = BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap();
        fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }

    /// Demands that nothing on the page keeps somebody out: axe-core's rules for WCAG 2.2 AA.
    pub async fn demand_accessible(&self, of: &str) {
        self.run(AXE).await;
        let script = "const done = arguments[arguments.length - 1]; axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', \
                      'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then((r) => done({passes: r.passes.length, \
                      violations: r.violations.map((v) => `${v.id}: ${v.help}\\n` + v.nodes.map((n) => `    \
                      ${n.html.slice(0, 200)}\\n    ${n.failureSummary}`).join('\\n'))}), (e) => done({violations: [String(e)]}))";
        let found = self.run_until_done(script, Value::Null).await;
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
