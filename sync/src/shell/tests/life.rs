//! Signs of life: on the disk only while they do not get through.

use vitrine_wire::record::Heartbeat;

use super::*;

impl Bench {
    /// Keeps a sign of life and returns its id.
    async fn beat(&mut self) -> String {
        let beat = Heartbeat {
            release: "0".into(),
            uptime_s: 1,
            manifest_version: 0,
            showing: String::new(),
            screen_ok: true,
            disk_free_bytes: 0,
            memory_free_bytes: 0,
            temperature_c: None,
            outbox: 0,
            tenant_key: None,
            downloads: None,
        };
        let now = self.shell.now();
        let record = record(Body::Heartbeat(beat), now);
        let id = record.id.clone();
        self.shell.keep(vec![record], now).await;
        id
    }

    async fn on_the_disk(&self) -> usize {
        self.shell.ways.store.outbox_len().await.unwrap()
    }
}

#[tokio::test]
async fn one_that_gets_through_is_never_on_the_disk() {
    let mut bench = bench(Duration::ZERO).await;
    bench.pass(Duration::from_secs(90)).await;
    let mut beats = Vec::new();
    for _ in 0..3 {
        beats.push(bench.beat().await);
        assert_eq!(bench.on_the_disk().await, 0);
        bench.pass(Duration::from_secs(30)).await;
        assert_eq!(*bench.cloud.0.beats.lock().unwrap(), beats);
    }
}

#[tokio::test]
async fn one_that_does_not_is_kept_and_goes_once_the_cloud_is_back() {
    let mut bench = bench(Duration::ZERO).await;
    bench.pass(Duration::from_secs(90)).await;
    bench.cloud.0.dead.store(true, Ordering::Relaxed);
    let mut beats = vec![bench.beat().await];
    assert_eq!(bench.on_the_disk().await, 0, "nobody knows yet that the cloud is away");
    bench.pass(Duration::from_secs(30)).await;
    beats.push(bench.beat().await);
    assert_eq!(bench.on_the_disk().await, 2);
    bench.cloud.0.dead.store(false, Ordering::Relaxed);
    bench.pass(HOUR).await;
    assert_eq!(*bench.cloud.0.beats.lock().unwrap(), beats);
    assert_eq!(bench.on_the_disk().await, 0);
}

#[tokio::test]
async fn a_stop_keeps_what_is_on_its_way() {
    let mut bench = bench(Duration::ZERO).await;
    bench.pass(Duration::from_secs(90)).await;
    bench.beat().await;
    let (inbox, requests) = tokio::sync::mpsc::channel(1);
    drop(inbox);
    bench.shell.run(requests).await;
    assert_eq!(bench.on_the_disk().await, 1);
}
