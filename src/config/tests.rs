//! Settings, right and wrong.

use super::*;

#[test]
fn names_every_wrong_setting_and_no_secret() {
    let settings = Settings {
        currency: Some("dollars".into()),
        public_url: Some("shop.example".into()),
        cors_origins: Some("https://a.example, https://b.example/path".into()),
        search_cache_bytes: Some("64M".into()),
        import_max_rows: Some("-1".into()),
        order_expiry_minutes: Some("0".into()),
        log_format: Some("xml".into()),
        otlp_endpoint: Some("user:hunter2@collector:4318".into()),
        jwt_secret: Some("hunter2".into()),
        database_url: Some("mysql://root:hunter2@localhost/x".into()),
        mirror_database_url: Some("mysql://root:hunter2@localhost/x".into()),
        ..Settings::default()
    };
    let error = Config::new(&settings).unwrap_err().to_string();
    for name in [
        "DUKA_CURRENCY",
        "DUKA_PUBLIC_URL",
        "b.example/path",
        "DUKA_SEARCH_CACHE_BYTES",
        "DUKA_IMPORT_MAX_ROWS",
        "DUKA_ORDER_EXPIRY_MINUTES",
        "DUKA_LOG_FORMAT",
        "DUKA_OTLP_ENDPOINT",
        "DUKA_JWT_SECRET",
        "--database-url (DATABASE_URL)",
        "DUKA_MIRROR_DATABASE_URL",
    ] {
        assert!(error.contains(name), "{name} is missing in: {error}");
    }
    assert!(!error.contains("hunter2"), "{error}");
    assert!(!error.contains("https://a.example"), "{error}");
}

#[test]
fn secrets_do_not_print() {
    let secret = "0123456789abcdef0123456789abcdef";
    let settings = Settings {
        jwt_secret: Some(secret.into()),
        database_url: Some(format!("postgres://u:{secret}@h/d")),
        ..Settings::default()
    };
    let config = Config::new(&settings).unwrap();
    assert!(!format!("{config:?}").contains(secret));
}
