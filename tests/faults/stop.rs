//! A server is told to stop while clients are at work: whoever reached it is answered, and what it has answered holds.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{self, Shop, setting};

/// Clients at a time; every other one opens a connection for each request.
const CLIENTS: usize = 24;

/// What became of a client's requests.
#[derive(Debug, Default)]
struct Sent {
    answered: u64,
    /// Of them after the server was told to stop.
    answered_late: u64,
    /// Statuses that are no success.
    refused: u64,
    /// Sent over a connection that was made, and never answered.
    lost: Vec<String>,
    /// The highest number that was written and acknowledged.
    written: u64,
}

/// A client that speaks HTTP by itself, so that no library tries again in silence.
struct Client {
    address: String,
    access: String,
    /// The product that it writes to.
    id: i64,
    keeps: bool,
    told: Arc<AtomicBool>,
}

impl Client {
    async fn work(self) -> Sent {
        let mut sent = Sent::default();
        let mut kept: Option<TcpStream> = None;
        for number in 1.. {
            let mut stream = match kept.take() {
                Some(stream) => stream,
                // Nobody listens any more: that is no request.
                None => match TcpStream::connect(&self.address).await {
                    Ok(stream) => stream,
                    Err(_) => break,
                },
            };
            let writes = number % 3 == 0;
            match exchange(&mut stream, &self.request(number, writes)).await {
                Ok((status, stays)) => {
                    sent.answered += 1;
                    sent.answered_late += u64::from(self.told.load(Ordering::Relaxed));
                    sent.refused += u64::from(status != 200);
                    if writes && status == 200 {
                        sent.written = number;
                    }
                    if stays && self.keeps {
                        kept = Some(stream);
                    }
                }
                Err(why) => sent.lost.push(format!("{why} (request {number}, keeps {})", self.keeps)),
            }
            if sent.lost.len() > 3 {
                break;
            }
        }
        sent
    }

    fn request(&self, number: u64, writes: bool) -> String {
        let connection = if self.keeps { "keep-alive" } else { "close" };
        let head =
            format!("host: x\r\nconnection: {connection}\r\nauthorization: Bearer {}\r\n", self.access);
        if writes {
            let body = format!("{{\"brand\": \"Written {number}\"}}");
            let length = body.len();
            return format!(
                "PATCH /api/product/{}/ HTTP/1.1\r\n{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}",
                self.id
            );
        }
        let price = 1000 * self.id + i64::try_from(number).unwrap();
        format!("GET /api/product/?price_max={price} HTTP/1.1\r\n{head}\r\n")
    }
}

/// Sends a request and reads its whole answer: its status, and whether the connection stays.
async fn exchange(stream: &mut TcpStream, request: &str) -> Result<(u16, bool), String> {
    stream.write_all(request.as_bytes()).await.map_err(|error| format!("not sent: {error}"))?;
    let mut read = Vec::new();
    let mut buffer = [0; 8192];
    loop {
        let more = stream.read(&mut buffer).await.map_err(|error| format!("cut off: {error}"))?;
        if more == 0 {
            return Err(format!("closed after {} bytes", read.len()));
        }
        read.extend_from_slice(&buffer[..more]);
        let text = String::from_utf8_lossy(&read);
        let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
        let head_bytes = head.len() + 4;
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(':'));
            lines
                .filter(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.trim().to_owned())
                .next()
        };
        let length: usize = header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        if read.len() >= head_bytes + length {
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
            return Ok((status, header("connection").as_deref() != Some("close")));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_reached_a_server_that_stops_is_answered() {
    let mut shop = Shop::open(200).await;
    let access = support::admin(&shop).await;
    let ids: Vec<i64> = sqlx::query_scalar("select id from product order by id limit $1")
        .bind(i64::try_from(CLIENTS).unwrap())
        .fetch_all(&shop.db)
        .await
        .unwrap();
    let rounds = setting("DUKA_STOP_ROUNDS", 3);
    for round in 0..rounds {
        let told = Arc::new(AtomicBool::new(false));
        let address = shop.node.base.trim_start_matches("http://").to_owned();
        let clients: Vec<_> = ids
            .iter()
            .enumerate()
            .map(|(at, id)| {
                let (address, access, told) = (address.clone(), access.clone(), Arc::clone(&told));
                tokio::spawn(Client { address, access, id: *id, keeps: at % 2 == 0, told }.work())
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        told.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        let status = shop.node.stop();
        let took = begun.elapsed();
        assert!(status.success(), "{status}");
        let (mut answered, mut late, mut refused, mut lost) = (0, 0, 0, Vec::new());
        for (client, id) in clients.into_iter().zip(&ids) {
            let sent = client.await.unwrap();
            let brand: Option<String> = sqlx::query_scalar("select brand from product where id = $1")
                .bind(id)
                .fetch_one(&shop.db)
                .await
                .unwrap();
            let kept = brand.as_deref().and_then(|brand| brand.strip_prefix("Written ")?.parse::<u64>().ok());
            assert!(kept.unwrap_or(0) >= sent.written, "{brand:?} after {} was acknowledged", sent.written);
            answered += sent.answered;
            late += sent.answered_late;
            refused += sent.refused;
            lost.extend(sent.lost);
        }
        println!(
            "stop {round}: {answered} answered, {late} of them after the signal, {refused} refused, {} lost, ended after {took:?}",
            lost.len()
        );
        assert!(lost.is_empty(), "{lost:?}");
        assert!(answered > 50 && late > 0);
        assert!(took < Duration::from_secs(10), "a container's runtime would have killed it");
        shop.node.restart();
    }
    shop.close().await;
}
