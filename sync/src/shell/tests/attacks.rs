//! The attacks of the TUF specification (section 1.5.2) that apply to a screen, each by its name,
//! each with the same thing done honestly beside it: without that, a device that takes nothing at
//! all would pass.

use ed25519_dalek::SigningKey;
use vitrine_wire::envelope::Purpose;

use super::*;

/// A device that plays version 5.
async fn playing() -> Bench {
    let mut bench = bench(Duration::ZERO).await;
    bench.serve(b"five");
    bench.cloud.publish(&manifest(5, &[b"five"]));
    bench.pass(Duration::from_secs(90)).await;
    assert_eq!(bench.plays(), 5);
    bench
}

impl Bench {
    /// Serves a manifest for a while; the version that plays then, and the faults that it cost.
    async fn meets(&mut self, manifest: &Value, key: &SigningKey) -> (u64, Vec<String>) {
        self.cloud.0.faults.lock().unwrap().clear();
        self.cloud.publish_signed(manifest, &[key]);
        self.pass(Duration::from_secs(180)).await;
        (self.plays(), self.faults())
    }

    /// The honest counterpart: version 6 is taken.
    async fn takes_the_next(&mut self) {
        assert_eq!(self.meets(&manifest(6, &[]), &tenant()).await, (6, vec![]), "the control");
    }
}

fn with(version: u64, key: &str, value: Value) -> Value {
    let mut changed = manifest(version, &[]);
    changed[key] = value;
    changed
}

#[tokio::test]
async fn arbitrary_installation() {
    let mut bench = playing().await;
    let stranger = SigningKey::from_bytes(&[66; 32]);
    let met = bench.meets(&manifest(6, &[]), &stranger).await;
    assert_eq!(met, (5, vec!["manifest_signature".into()]));
    bench.takes_the_next().await;
}

#[tokio::test]
async fn rollback() {
    let mut bench = playing().await;
    assert_eq!(bench.meets(&manifest(4, &[]), &tenant()).await, (5, vec!["manifest_older".into()]));
    // Also after everything that was in memory is gone.
    let mut bench = bench.restart().await;
    assert_eq!(bench.meets(&manifest(4, &[]), &tenant()).await, (5, vec!["manifest_older".into()]));
    bench.takes_the_next().await;
}

#[tokio::test]
async fn indefinite_freeze() {
    let mut bench = playing().await;
    let lapsing = with(6, "not_after", json!("2026-03-04T13:00:00Z"));
    assert_eq!(bench.meets(&lapsing, &tenant()).await, (6, vec![]));
    // Somebody keeps serving this, and nothing newer.
    bench.pass(HOUR * 2).await;
    assert_eq!((bench.plays(), bench.faults()), (6, vec!["manifest_lapsed".into()]));
    let lasting = with(7, "not_after", json!("2027-03-04T13:00:00Z"));
    assert_eq!(bench.meets(&lasting, &tenant()).await, (7, vec![]));
    bench.pass(HOUR * 2).await;
    assert_eq!(bench.faults(), [""; 0], "the control");
}

#[tokio::test]
async fn fast_forward() {
    let mut bench = playing().await;
    // A version beyond what can be kept would lock out everything after it.
    let (plays, faults) = bench.meets(&manifest(u64::MAX, &[]), &tenant()).await;
    assert_eq!((plays, faults.len()), (5, 1), "{faults:?}");
    bench.takes_the_next().await;
    assert_eq!(bench.meets(&manifest(7, &[]), &tenant()).await, (7, vec![]));
}

#[tokio::test]
async fn mix_and_match() {
    let mut bench = playing().await;
    // Two genuine manifests, the words of the one under the signature of the other.
    let seal = |manifest: &Value| {
        let payload = serde_json::to_vec(manifest).unwrap();
        vitrine_wire::envelope::seal(Purpose::Manifest, &payload, &[&tenant()])
    };
    let mut mixed = seal(&manifest(6, &[b"new"]));
    mixed.signatures = seal(&manifest(6, &[])).signatures;
    bench.cloud.0.faults.lock().unwrap().clear();
    bench.cloud.publish_raw(serde_json::to_vec(&mixed).unwrap());
    bench.pass(Duration::from_secs(180)).await;
    assert_eq!((bench.plays(), bench.faults()), (5, vec!["manifest_signature".into()]));
    // A genuine manifest, and a file of another one under the name of its own.
    bench.cloud.0.assets.lock().unwrap().insert(Digest::of(b"new"), b"five".as_slice().into());
    let met = bench.meets(&manifest(6, &[b"new"]), &tenant()).await;
    assert_eq!(met, (5, vec!["asset".into()]));
    bench.serve(b"new");
    bench.pass(HOUR).await;
    assert_eq!(bench.plays(), 6, "the control");
}

#[tokio::test]
async fn endless_data() {
    // What is endless on the wire is measured in `http`; here it is longer than it said.
    let mut bench = playing().await;
    let long = bytes::Bytes::from(vec![b'x'; 1 << 20]);
    bench.cloud.0.assets.lock().unwrap().insert(Digest::of(b"short"), long);
    let met = bench.meets(&manifest(6, &[b"short"]), &tenant()).await;
    assert_eq!(met, (5, vec!["asset".into()]));
    let held: u64 = bench.shell.ways.cache.parts().unwrap().values().sum();
    assert!(held <= b"short".len() as u64, "{held} bytes kept");
    bench.serve(b"short");
    bench.pass(HOUR).await;
    assert_eq!(bench.plays(), 6, "the control");
}

#[tokio::test]
async fn slow_retrieval() {
    let mut bench = playing().await;
    bench.serve(b"quick");
    let slow = |bench: &Bench, slow: bool| {
        let list = if slow { vec![Digest::of(b"slow")] } else { vec![] };
        *bench.cloud.0.slow.lock().unwrap() = list;
    };
    slow(&bench, true);
    bench.serve(b"slow");
    let met = bench.meets(&manifest(6, &[b"slow", b"quick"]), &tenant()).await;
    assert_eq!(met, (5, vec![]), "what plays, plays on");
    assert!(bench.shell.ways.cache.contains(&Digest::of(b"quick")), "held up by the other");
    slow(&bench, false);
    bench.pass(HOUR).await;
    assert_eq!(bench.plays(), 6, "the control");
}

#[tokio::test]
async fn wrong_device() {
    let mut bench = playing().await;
    let met = bench.meets(&with(6, "device", json!("d2")), &tenant()).await;
    assert_eq!(met, (5, vec!["manifest_device".into()]));
    bench.takes_the_next().await;
}

#[tokio::test]
async fn wrong_tenant() {
    let mut bench = playing().await;
    let met = bench.meets(&with(6, "tenant", json!("evil")), &tenant()).await;
    assert_eq!(met, (5, vec!["manifest_tenant".into()]));
    bench.takes_the_next().await;
}

#[tokio::test]
async fn a_stolen_key_that_was_rotated_away_is_worth_nothing() {
    use base64::Engine;
    let mut bench = playing().await;
    let next = SigningKey::from_bytes(&[10; 32]);
    let text = base64::engine::general_purpose::STANDARD.encode(next.verifying_key().as_bytes());
    let rotating = with(6, "tenant_key", json!(text));
    assert_eq!(bench.meets(&rotating, &tenant()).await, (5, vec!["manifest_key".into()]));
    bench.cloud.0.faults.lock().unwrap().clear();
    bench.cloud.publish_signed(&rotating, &[&tenant(), &next]);
    bench.pass(Duration::from_secs(180)).await;
    assert_eq!((bench.plays(), bench.faults()), (6, vec!["tenant_key_rotated".into()]));
    // What was live under the old key is still there for a way back, also after a restart.
    let mut bench = bench.restart().await;
    assert_eq!((bench.plays(), bench.roll_back().await), (6, Ok(5)));
    assert_eq!(bench.roll_back().await, Ok(6));
    let (plays, faults) = bench.meets(&manifest(7, &[]), &tenant()).await;
    assert_eq!((plays, faults.last().map(String::as_str)), (6, Some("manifest_signature")));
    let (plays, _) = bench.meets(&manifest(7, &[]), &next).await;
    assert_eq!(plays, 7, "the control");
}
