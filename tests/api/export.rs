//! Exporting: what comes out goes in again, and is the catalog of one moment.

use std::{io::Cursor, time::Duration};

use duka::{
    auth::{Author, Role},
    corpus::Corpus,
    import::{
        actions::{Feed, OnError, Options, run},
        source::{Format, Source},
    },
};
use reqwest::Method;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_util::sync::CancellationToken;

use crate::support::{TestShop, User, decoded, with_shop};

async fn import(shop: &TestShop, text: &str, format: Format) {
    let source = Source::open(Cursor::new(text.to_owned()), format, shop.shop.app.config.currency).unwrap();
    let (mut refused, stop) = (Vec::new(), CancellationToken::new());
    let options = Options { on_error: OnError::Reject, dry_run: false };
    let report =
        run(&shop.db, Author::SHOP, Feed::start(source), options, &stop, |step| refused.extend(step.refused))
            .await
            .unwrap();
    assert!(report.kept, "{refused:?}");
}

async fn export(shop: &TestShop, admin: &User, query: &str) -> String {
    shop.get_as(admin, &format!("/api/admin/export/{query}")).await.expect(200).text
}

/// Products that are awkward to write down.
async fn awkward_products(shop: &TestShop, admin: &User) {
    let vendor = shop.user("vera", Role::Vendor).await;
    let root = shop.category(admin, "=Home").await;
    let odd = json!({"name": "Pots > Pans, \"all\"", "parent_id": root});
    let odd = shop.post_as(admin, "/api/category/", odd).await.expect(201).id();
    let mut deep = odd;
    for level in 0..12 {
        let below = json!({"name": format!("Level {level}"), "parent_id": deep});
        deep = shop.post_as(admin, "/api/category/", below).await.expect(201).id();
    }
    let products = [
        json!({"category_id": odd, "name": "=HYPERLINK(\"http://x\")", "price": "1.00", "sku": "-1", "stock_quantity": 7,
               "description": "@one\n\"two\",\tthree ' four", "brand": "'+Plus", "attributes": {"=a": "=1+1", "some": ["b"], "n": 1.0, "big": 12345678901234567890123_f64, "yes": true, "text": "1"}}),
        json!({"category_id": deep, "name": "Hidden", "price": "2.50", "sku": "HID", "is_active": false,
               "image_url": "https://example.com/a.jpg?b=c,d"}),
        json!({"category_id": root, "name": "With variants", "price": "3.00", "sku": "VAR", "variants": [
               {"variant_name": "Ⅻ", "sku": "VAR-1", "price": "2.00", "stock": 0, "image_url": "https://example.com/v.jpg", "attributes": {"size": "L"}},
               {"variant_name": "+B", "sku": "VAR", "price": "4.00", "stock": 3}]}),
    ];
    for product in products {
        shop.post_as(&vendor, "/api/product/", product).await.expect(201);
    }
    // Alone, and yet not what a row without variants makes.
    let only = json!({"category_id": root, "name": "Only", "price": "5.00", "sku": "ONLY", "variants": [
        {"variant_name": "Default", "sku": "ONLY", "price": "6.00", "stock": 1}]});
    shop.post_as(admin, "/api/product/", only).await.expect(201);
    let gone = json!({"category_id": root, "name": "Gone", "price": "5.00", "sku": "GONE"});
    let gone = shop.post_as(admin, "/api/product/", gone).await.expect(201).id();
    shop.delete_as(admin, &format!("/api/product/{gone}/")).await.expect(204);
}

#[tokio::test]
async fn what_comes_out_goes_in_again() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let corpus = Corpus::new(7, shop.shop.app.config.currency);
        let lines: Vec<String> =
            (0..1_200).map(|n| corpus.row(n).to_json(shop.shop.app.config.currency)).collect();
        import(shop, &lines.join("\n"), Format::Ndjson).await;
        awkward_products(shop, &admin).await;
        // What its own customers say is not the catalog's.
        sqlx::query(
            "insert into review (user_id, product_id, rating) select $1, id, 1 from product limit 10",
        )
        .bind(admin.id)
        .execute(&shop.db)
        .await
        .unwrap();

        let (ndjson, csv) = (export(shop, &admin, "").await, export(shop, &admin, "?format=csv").await);
        assert_eq!((ndjson.lines().count(), ndjson.contains("GONE")), (1_204, false));
        for text in
            ["\"rating\":", "\"variants\":", "\"category_path\":", "\"is_active\":false", "\"popularity\":"]
        {
            assert!(ndjson.contains(text), "{text} is nowhere");
        }
        assert!(csv.contains("\r\n") && csv.starts_with("sku,name,price,"), "{}", &csv[..100]);
        let mut reader = csv_reader(&csv);
        for record in reader.records() {
            for cell in &record.unwrap() {
                assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
            }
        }
        // Here again it changes nothing.
        let before = shop.fingerprint().await;
        import(shop, &ndjson, Format::Ndjson).await;
        import(shop, &csv, Format::Csv).await;
        assert_eq!(shop.fingerprint().await, before);
        // Values that are empty are nothing to an import.
        sqlx::query("update product set attributes = attributes || '{\"empty\": \"\", \"none\": [], \"some\": [\"\", \"b\"]}' where sku = '-1'")
            .execute(&shop.db)
            .await
            .unwrap();
        assert!(export(shop, &admin, "").await == ndjson, "what is empty is exported");

        for (text, format) in [(&ndjson, Format::Ndjson), (&csv, Format::Csv)] {
            with_shop(async |empty| {
                let admin = empty.admin().await;
                import(empty, text, format).await;
                assert!(export(empty, &admin, "?format=ndjson").await == ndjson, "the NDJSON differs");
                assert!(export(empty, &admin, "?format=csv").await == csv, "the CSV differs");
            })
            .await;
        }
    })
    .await;
}

fn csv_reader(text: &str) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().from_reader(text.as_bytes())
}

#[tokio::test]
async fn the_format_is_asked_for_and_admins_alone_are_answered() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let vendor = shop.user("vera", Role::Vendor).await;
        shop.get("/api/admin/export/").await.expect(401);
        shop.get_as(&vendor, "/api/admin/export/").await.expect(403);
        assert_eq!(
            shop.get_as(&admin, "/api/admin/export/?format=xml").await.expect(400).faults(),
            ["format"]
        );
        assert_eq!(shop.get_as(&admin, "/api/admin/export/?formt=csv").await.expect(400).faults(), ["formt"]);
        let (ndjson, csv) = ("application/x-ndjson", "text/csv; charset=utf-8");
        for (accept, query, media_type) in [
            ("*/*", "", ndjson),
            ("text/csv", "", csv),
            ("text/csv;q=0, */*", "", ndjson),
            ("text/html, text/csv;q=0.9, application/x-ndjson;q=0.1", "", csv),
            ("text/csv", "?format=ndjson", ndjson),
            ("application/json", "?format=csv", csv),
        ] {
            let request =
                shop.request(Method::GET, &format!("/api/admin/export/{query}")).header("accept", accept);
            let answer = shop.send(request.bearer_auth(&admin.access)).await.expect(200);
            assert_eq!(answer.header("content-type"), media_type, "{accept} {query}");
            assert!(answer.header("content-disposition").starts_with("attachment"));
            assert_eq!(answer.text.lines().count(), usize::from(media_type == csv), "{}", answer.text);
        }
    })
    .await;
}

const MANY: usize = 600;

/// A catalog that is larger than all buffers on the way to a [`Reader`].
async fn large_catalog(shop: &TestShop) {
    let text = "Rather long. ".repeat(1_500);
    let line = |n: usize| {
        format!("{}\n", json!({"sku": format!("S{n}"), "name": "Thing", "price": 1, "description": text}))
    };
    import(shop, &(0..MANY).map(line).collect::<String>(), Format::Ndjson).await;
}

/// Somebody who has asked for an export, has got its beginning and does not read on by himself.
struct Reader(TcpStream);

impl Reader {
    async fn open(shop: &TestShop, admin: &User) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // A size that is set does not grow.
        socket.set_recv_buffer_size(16 * 1024).unwrap();
        let mut stream = socket.connect(shop.shop.address).await.unwrap();
        let head = format!(
            "GET /api/admin/export/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
            admin.access
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut beginning = [0; 4_096];
        stream.read_exact(&mut beginning).await.unwrap();
        assert!(beginning.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&beginning));
        Self(stream)
    }

    /// What is left, and whether it came to its end.
    async fn rest(mut self) -> (String, bool) {
        let mut rest = Vec::new();
        let ended = self.0.read_to_end(&mut rest).await.is_ok();
        (String::from_utf8(rest.clone()).unwrap(), ended && rest.ends_with(b"\r\n0\r\n\r\n"))
    }
}

#[tokio::test]
async fn an_export_is_of_one_moment() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        large_catalog(shop).await;
        let reader = Reader::open(shop, &admin).await;
        sqlx::query("update product set name = 'Changed'").execute(&shop.db).await.unwrap();
        sqlx::query("update product set deleted_at = now() where sku = 'S599'")
            .execute(&shop.db)
            .await
            .unwrap();
        import(shop, "{\"sku\":\"NEW\",\"name\":\"Changed\",\"price\":1}", Format::Ndjson).await;
        let (rest, is_whole) = reader.rest().await;
        // The first product was in the beginning.
        assert_eq!(
            (rest.matches("{\"sku\":").count(), rest.contains("Changed"), is_whole),
            (MANY - 1, false, true)
        );
        assert!(rest.rfind("\"S599\"") > rest.rfind("\"S598\""));
    })
    .await;
}

#[tokio::test]
async fn an_export_is_whole_in_every_coding() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        large_catalog(shop).await;
        let plain = export(shop, &admin, "").await;
        for coding in ["gzip", "br"] {
            let request = shop.request(Method::GET, "/api/admin/export/").header("accept-encoding", coding);
            let (status, headers, bytes) = decoded(request.bearer_auth(&admin.access)).await;
            assert_eq!((status, headers["content-encoding"].as_bytes()), (200, coding.as_bytes()));
            assert_eq!(String::from_utf8(bytes).unwrap(), plain, "{coding}");
        }
    })
    .await;
}

/// Connections that export something.
async fn exporting(shop: &TestShop) -> i64 {
    sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where datname = current_database() and application_name = 'duka export' and state <> 'idle'",
    )
    .fetch_one(&shop.db)
    .await
    .unwrap()
}

#[tokio::test]
async fn an_export_ends_with_its_reader_and_with_the_shop() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        large_catalog(shop).await;
        let reader = Reader::open(shop, &admin).await;
        assert_eq!(exporting(shop).await, 1, "the reader is slower than the catalog is large");
        drop(reader);
        for _ in 0..100 {
            if exporting(shop).await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(exporting(shop).await, 0);

        // So many at a time as their pool has connections; one more is told so.
        let mut readers = Vec::new();
        for _ in 0..8 {
            readers.push(Reader::open(shop, &admin).await);
        }
        shop.get_as(&admin, "/api/admin/export/").await.expect(503);
        drop(readers);
        // A shop that closes does not wait for readers, and they can tell that it is not the whole.
        let reader = Reader::open(shop, &admin).await;
        shop.shop.app.stopping.cancel();
        let (_, is_whole) = reader.rest().await;
        assert!(!is_whole, "a catalog that was cut off looks whole");
    })
    .await;
}

#[tokio::test]
async fn the_command_line_exports_too() {
    with_shop(async |shop| {
        let rows =
            "{\"sku\":\"=A\",\"name\":\"Kettle\",\"price\":1}\n{\"sku\":\"B\",\"name\":\"Cup\",\"price\":2}";
        import(shop, rows, Format::Ndjson).await;
        let admin = shop.admin().await;
        let file = shop.data_dir.path().join("out.csv");
        let run = |file: &str| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_duka"));
            command.args(["export", file]).env_clear().env("DATABASE_URL", &shop.database_url);
            command.env("DUKA_DATA_DIR", shop.data_dir.path()).output().unwrap()
        };
        let output = run("-");
        assert_eq!(String::from_utf8(output.stdout).unwrap(), export(shop, &admin, "").await);
        assert!(String::from_utf8_lossy(&output.stderr).contains("wrote 2 products"));
        assert!(run(file.to_str().unwrap()).status.success());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), export(shop, &admin, "?format=csv").await);
        let nowhere = run("/nowhere/at/all.csv");
        assert_eq!(nowhere.status.code(), Some(1));
    })
    .await;
}
