//! The limits of imports over HTTP: on bytes, packed and unpacked, on rows, on time, on files that wait and on errors that
//! are kept.

use duka::config::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::support::with_settings;

#[tokio::test]
async fn limits_hold_before_anything_is_kept() {
    let number = |number: u64| Some(number.to_string());
    let settings = Settings {
        import_max_bytes: number(10_000),
        import_max_unpacked_bytes: number(50_000),
        import_max_rows: number(100),
        ..Settings::default()
    };
    with_settings(settings, async |shop| {
        let admin = shop.admin().await;
        let before = files(shop);
        let large = rows(0..1_000);
        assert!(large.len() > 20_000);
        send(shop, &admin, "", NDJSON, large.clone()).await.expect(413);
        // Without a length it is found on the way.
        let pieces: Vec<_> =
            large.into_bytes().chunks(1_000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
        let stream = reqwest::Body::wrap_stream(stream::iter(pieces));
        let answer = send(shop, &admin, "", NDJSON, stream).await.expect(413);
        assert_eq!(answer.json["type"], "/problems/too-large");
        let part = Part::bytes(vec![b'x'; 10_001]).file_name("a.csv");
        shop.send(post(shop, &admin, "").multipart(Form::new().part("file", part))).await.expect(413);
        let part = Part::bytes(vec![b'x'; 200_000]).file_name("a.csv");
        shop.send(post(shop, &admin, "").multipart(Form::new().part("file", part))).await.expect(413);
        assert_eq!(jobs(shop).await, 0);

        for (body, word) in [
            (gzip(rows(0..101).as_bytes()), "more than 100 rows"),
            // Each of its rows is good.
            (gzip(format!("{}{}", rows(0..99), "\n".repeat(50_000)).as_bytes()), "more than 50000 bytes"),
        ] {
            let request = post(shop, &admin, "?on_error=skip").header("content-type", NDJSON);
            let job =
                ended(shop, &admin, shop.send(request.header("content-encoding", "gzip").body(body)).await)
                    .await;
            assert_eq!(job["status"], "failed");
            assert!(job["error"].as_str().unwrap().contains(word), "{job}");
        }
        assert_eq!(shop.get("/api/product/").await.json["count"], 0, "not even the rows within the limits");
        let exact = ended(shop, &admin, send(shop, &admin, "", NDJSON, rows(0..100)).await).await;
        assert_eq!(exact["rows_created"], 100);
        assert_eq!(files(shop), before);
    })
    .await;
}

/// A little that unpacks to a lot: it is given up after the limit, whatever would have come.
#[tokio::test]
async fn a_bomb_does_not_go_off() {
    let settings = Settings { import_max_unpacked_bytes: Some("20000000".into()), ..Settings::default() };
    with_settings(settings, async |shop| {
        let admin = shop.admin().await;
        let bomb = tokio::task::spawn_blocking(|| {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
            for _ in 0..300 {
                encoder.write_all(&[b' '; 1 << 20]).unwrap();
            }
            encoder.finish().unwrap()
        })
        .await
        .unwrap();
        assert!(bomb.len() < 500_000, "{}", bomb.len());
        let begun = std::time::Instant::now();
        let request =
            post(shop, &admin, "").header("content-type", NDJSON).header("content-encoding", "gzip");
        let job = ended(shop, &admin, shop.send(request.body(bomb)).await).await;
        assert_eq!(job["status"], "failed");
        assert!(job["error"].as_str().unwrap().contains("20000000 bytes"), "{job}");
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    })
    .await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_or_dawdles_leaves_nothing() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let before = files(shop);
        let head = format!(
            "POST /api/admin/import/ HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: {NDJSON}\r\n\
             content-length: 1000000\r\n\r\n",
            admin.access
        );
        let open = async || {
            let mut stream = tokio::net::TcpStream::connect(shop.shop.address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(rows(0..1_000).as_bytes()).await.unwrap();
            stream
        };
        drop(open().await);
        // One that is silent in the midst of its file, and a form that is silent after it.
        let slow = open().await;
        let mut form = tokio::net::TcpStream::connect(shop.shop.address).await.unwrap();
        let head = head.replace(NDJSON, "multipart/form-data; boundary=x");
        let part = "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.ndjson\"\r\n\r\n";
        form.write_all(format!("{head}{part}{}\r\n--x\r\ncont", rows(0..10)).as_bytes()).await.unwrap();
        for mut dawdler in [slow, form] {
            let mut answer = String::new();
            let end = dawdler.read_to_string(&mut answer);
            tokio::time::timeout(Duration::from_secs(120), end).await.unwrap().unwrap();
            assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        }
        assert_eq!((jobs(shop).await, files(shop)), (0, before));
        // Both places are free again.
        for n in 0..4 {
            let job = ended(shop, &admin, send(shop, &admin, "", NDJSON, rows(n..n + 1)).await).await;
            assert_eq!(job["status"], "succeeded");
        }
    })
    .await;
}

#[tokio::test]
async fn files_on_disk_are_few() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let mut other = shop.db.begin().await.unwrap();
        sqlx::query("select pg_advisory_xact_lock(hashtextextended('duka.import', 0))")
            .execute(&mut *other)
            .await
            .unwrap();
        let mut accepted = Vec::new();
        for n in 0..4 {
            accepted.push(send(shop, &admin, "", NDJSON, rows(n..n + 1)).await.expect(202));
        }
        let refused = send(shop, &admin, "", NDJSON, rows(9..10)).await.expect(503);
        assert!(!refused.header("retry-after").is_empty());
        other.rollback().await.unwrap();
        for answer in accepted {
            assert_eq!(ended(shop, &admin, answer).await["status"], "succeeded");
        }
        ended(shop, &admin, send(shop, &admin, "", NDJSON, rows(9..10)).await).await;
        shop.settled().await;
        assert_eq!(shop.get("/api/product/").await.json["count"], 5);
    })
    .await;
}

/// Of refused rows so many are kept, and all are counted.
#[tokio::test]
async fn a_hopeless_file_does_not_fill_the_database() {
    with_shop(async |shop| {
        let admin = shop.admin().await;
        let first = format!("{{\"sku\": \"A\", \"a\\u0000{}\": 1}}", "é".repeat(2_000));
        let file = format!("{first}\n{}", "{}\n".repeat(12_344));
        let job = ended(shop, &admin, send(shop, &admin, "", NDJSON, file).await).await;
        assert_eq!((&job["status"], &job["rows_refused"]), (&json!("failed"), &json!(12_345)));
        let path = format!("/api/admin/import/{}/errors/", job["id"]);
        let first = shop.get_as(&admin, &path).await.expect(200).json;
        assert_eq!(first["results"][0]["reason"].as_str().unwrap().chars().count(), 1_000);
        let errors = shop.get_as(&admin, &format!("{path}?page=100&page_size=100")).await.expect(200).json;
        assert_eq!(
            (&errors["count"], &errors["results"][99]["line"], &errors["next"]),
            (&json!(10_000), &json!(10_000), &json!(null))
        );
    })
    .await;
}
