//! The promises of the module head, and what an attacker may try.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use serde_json::json;
use vitrine_wire::envelope::Envelope;

use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn account() -> Account {
    Account {
        cloud_url: "http://127.0.0.1:1".into(),
        tenant: "acme".into(),
        device: "d1".into(),
        tenant_key: key(1).verifying_key(),
        former_key: None,
    }
}

fn sealed(signer: u8, version: u64, tenant: &str, device: &str, mark: &str) -> Vec<u8> {
    let payload = json!({
        "version": version, "tenant": tenant, "device": device,
        "issued_at": "2026-01-01T00:00:00Z", "mark": mark,
    });
    let payload = serde_json::to_vec(&payload).unwrap();
    serde_json::to_vec(&envelope::seal(Purpose::Manifest, &payload, &[&key(signer)])).unwrap()
}

#[test]
fn believes_only_what_the_pinned_key_signed_for_this_device_and_later() {
    let known = sealed(1, 7, "acme", "d1", "");
    let seen = prove(&known, &account()).unwrap().seen;
    for (case, raw, want) in [
        ("newer", sealed(1, 8, "acme", "d1", ""), Ok(Some(8))),
        ("the known one", known.clone(), Ok(None)),
        ("another key", sealed(2, 8, "acme", "d1", ""), Err("manifest_signature")),
        ("another tenant", sealed(1, 8, "evil", "d1", ""), Err("manifest_tenant")),
        ("another device", sealed(1, 8, "acme", "d2", ""), Err("manifest_device")),
        ("older", sealed(1, 6, "acme", "d1", ""), Err("manifest_older")),
        ("same version, other bytes", sealed(1, 7, "acme", "d1", "x"), Err("manifest_older")),
        ("a login page", b"<html>".to_vec(), Err("manifest_unreadable")),
        ("version 0", sealed(1, 0, "acme", "d1", ""), Err("manifest_unreadable")),
    ] {
        let got = accept(&raw, &account(), Some(seen));
        let got = got.map(|a| a.map(|a| a.manifest.version)).map_err(|r| r.code());
        assert_eq!(got, want, "case {case:?}");
    }
}

fn sealed_orders(signer: u8, version: u64, tenant: &str, device: &str) -> Vec<u8> {
    let payload = json!({
        "version": version, "tenant": tenant, "device": device,
        "issued_at": "2026-01-01T00:00:00Z",
        "orders": [{ "id": "o", "action": "identify", "expires_at": "2026-01-01T00:00:00Z" }],
    });
    let payload = serde_json::to_vec(&payload).unwrap();
    serde_json::to_vec(&envelope::seal(Purpose::Orders, &payload, &[&key(signer)])).unwrap()
}

#[test]
fn orders_are_believed_by_the_same_rules_and_never_as_a_manifest() {
    for (case, raw, want) in [
        ("newer", sealed_orders(1, 8, "acme", "d1"), Ok(8)),
        ("the same again", sealed_orders(1, 7, "acme", "d1"), Ok(7)),
        ("another key", sealed_orders(2, 8, "acme", "d1"), Err("orders_signature")),
        ("another tenant", sealed_orders(1, 8, "evil", "d1"), Err("orders_tenant")),
        ("another device", sealed_orders(1, 8, "acme", "d2"), Err("orders_device")),
        ("older", sealed_orders(1, 6, "acme", "d1"), Err("orders_older")),
        ("a version without end", sealed_orders(1, u64::MAX, "acme", "d1"), {
            Err("orders_unreadable")
        }),
        ("a login page", b"<html>".to_vec(), Err("orders_unreadable")),
        ("a manifest", sealed(1, 8, "acme", "d1", ""), Err("orders_signature")),
    ] {
        let got = accept_orders(&raw, &account(), 7);
        assert_eq!(got.map(|o| o.version).map_err(|r| r.code()), want, "case {case:?}");
    }
    let as_manifest = accept(&sealed_orders(1, 8, "acme", "d1"), &account(), None);
    assert_eq!(as_manifest.unwrap_err().code(), "manifest_signature");
}

#[test]
fn the_first_manifest_may_have_any_version() {
    let raw = sealed(1, 41, "acme", "d1", "");
    assert_eq!(accept(&raw, &account(), None).unwrap().unwrap().manifest.version, 41);
}

#[test]
fn the_newest_one_may_come_again_after_its_bytes_were_lost() {
    let lost = Some(Seen { version: 7, payload: None });
    let got = |version| accept(&sealed(1, version, "acme", "d1", ""), &account(), lost);
    assert!(got(7).unwrap().is_some());
    assert_eq!(got(6).unwrap_err().code(), "manifest_older");
}

#[test]
fn a_second_signature_changes_nothing() {
    let one = sealed(1, 7, "acme", "d1", "");
    let seen = prove(&one, &account()).unwrap().seen;
    let payload = envelope::open(Purpose::Manifest, &one, &account().tenant_key).unwrap();
    let both =
        serde_json::to_vec(&envelope::seal(Purpose::Manifest, &payload, &[&key(1), &key(2)]))
            .unwrap();
    assert_eq!(accept(&both, &account(), Some(seen)), Ok(None));
}

#[test]
fn bytes_that_nobody_signed_are_never_parsed() {
    let junk = envelope::seal(Purpose::Manifest, b"{ not json", &[&key(2)]);
    let raw = serde_json::to_vec(&junk).unwrap();
    assert_eq!(prove(&raw, &account()).unwrap_err().code(), "manifest_signature");
    let signed =
        serde_json::to_vec(&envelope::seal(Purpose::Manifest, b"{ not json", &[&key(1)])).unwrap();
    assert_eq!(prove(&signed, &account()).unwrap_err().code(), "manifest_unreadable");
}

/// A manifest that names `next` as the tenant's key, signed by `signers`.
fn rotating(version: u64, next: &str, signers: &[u8]) -> Vec<u8> {
    let payload = json!({
        "version": version, "tenant": "acme", "device": "d1",
        "issued_at": "2026-01-01T00:00:00Z", "tenant_key": next,
    });
    let keys: Vec<SigningKey> = signers.iter().map(|seed| key(*seed)).collect();
    let keys: Vec<&SigningKey> = keys.iter().collect();
    serde_json::to_vec(&envelope::seal(
        Purpose::Manifest,
        &serde_json::to_vec(&payload).unwrap(),
        &keys,
    ))
    .unwrap()
}

fn public(seed: u8) -> String {
    STANDARD.encode(key(seed).verifying_key().as_bytes())
}

#[test]
fn a_key_is_replaced_only_by_one_that_signs_beside_it() {
    let weak = STANDARD.encode([0; 32]);
    for (case, next, signers, want) in [
        ("both sign", public(2), &[1, 2][..], Ok(Some(2))),
        ("in any order", public(2), &[2, 1], Ok(Some(2))),
        ("the old one alone", public(2), &[1], Err("manifest_key")),
        ("the new one alone", public(2), &[2], Err("manifest_signature")),
        ("another one beside it", public(2), &[1, 3], Err("manifest_key")),
        ("no key", "hello".into(), &[1, 2], Err("manifest_key")),
        ("one that anybody can sign for", weak, &[1, 2], Err("manifest_key")),
        ("the pinned one again", public(1), &[1], Ok(None)),
    ] {
        let got = accept(&rotating(8, &next, signers), &account(), None);
        let got = got.map(|new| new.unwrap().next_key).map_err(|refusal| refusal.code());
        let want = want.map(|seed| seed.map(|seed| key(seed).verifying_key()));
        assert_eq!(got, want, "case {case:?}");
    }
}

#[test]
fn after_a_rotation_the_old_key_proves_the_disk_and_nothing_that_comes() {
    let (tenant_key, former_key) = (key(2).verifying_key(), Some(key(1).verifying_key()));
    let rotated = Account { tenant_key, former_key, ..account() };
    let old = sealed(1, 7, "acme", "d1", "");
    assert!(prove_kept(&old, &rotated).is_ok());
    assert_eq!(accept(&old, &rotated, None).unwrap_err().code(), "manifest_signature");
    let new = sealed(2, 9, "acme", "d1", "");
    assert!(prove_kept(&new, &rotated).is_ok() && accept(&new, &rotated, None).is_ok());
    assert!(prove_kept(&sealed(3, 9, "acme", "d1", ""), &rotated).is_err());
    assert!(prove_kept(&old, &Account { former_key: None, ..rotated }).is_err(), "the control");
}

/// SplitMix64: enough to spread mutations, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }

    /// One thing that may happen to bytes on the way, or that an attacker may try.
    fn mutate(&mut self, raw: &mut Vec<u8>, other: &[u8]) {
        if raw.is_empty() {
            return;
        }
        let (at, to) = (self.below(raw.len()), self.below(raw.len()));
        match self.below(6) {
            0 => raw[at] ^= 1 << self.below(8),
            1 => raw[at] = self.below(256) as u8,
            2 => drop(raw.remove(at)),
            3 => raw.insert(at, raw[to]),
            4 => raw.truncate(at.max(1)),
            _ => {
                let (at, to) = (at.min(other.len()), to.min(other.len()));
                let (from, until) = (at.min(to), at.max(to));
                raw.splice(from.min(raw.len())..until.min(raw.len()), other[from..until].to_vec());
            }
        }
    }

    /// Parts of one envelope under the signature of another.
    fn mix(&mut self, one: &Envelope, other: &Envelope) -> Vec<u8> {
        let mut mixed = one.clone();
        match self.below(3) {
            0 => mixed.payload.clone_from(&other.payload),
            1 => mixed.signatures.clone_from(&other.signatures),
            _ => {
                let mut payload = STANDARD.decode(&mixed.payload).unwrap();
                self.mutate(&mut payload, b"");
                mixed.payload = STANDARD.encode(payload);
            }
        }
        serde_json::to_vec(&mixed).unwrap()
    }
}

/// None of 10^5 envelopes that were changed on the way says anything but what was signed.
#[test]
fn no_mutated_envelope_is_accepted() {
    const ROUNDS: usize = 100_000;
    let genuine = sealed(1, 8, "acme", "d1", "genuine");
    let others = [
        sealed(1, 6, "acme", "d1", "older"),
        sealed(1, 9, "evil", "d1", "for another tenant"),
        sealed(1, 9, "acme", "d2", "for another device"),
        sealed(2, 9, "acme", "d1", "by another key"),
    ];
    let seen = prove(&sealed(1, 7, "acme", "d1", ""), &account()).unwrap().seen;
    let parse = |raw: &[u8]| serde_json::from_slice::<Envelope>(raw).unwrap();
    let (mut dice, mut unchanged) = (Dice(1), 0);
    for round in 0..ROUNDS {
        let other = &others[dice.below(others.len())];
        let mut raw = match round % 4 {
            0 => dice.mix(&parse(&genuine), &parse(other)),
            _ => genuine.clone(),
        };
        for _ in 0..dice.below(3) + usize::from(round % 4 != 0) {
            dice.mutate(&mut raw, other);
        }
        if let Ok(Some(accepted)) = accept(&raw, &account(), Some(seen)) {
            // A changed blank or an exchanged byte that was the same: the signed words, still whole.
            let want = prove(&genuine, &account()).unwrap();
            assert_eq!(accepted, want, "round {round}: {}", String::from_utf8_lossy(&raw));
            unchanged += 1;
        }
    }
    assert!(unchanged < ROUNDS / 50, "{unchanged}: the mutations do not mutate");
    assert!(accept(&genuine, &account(), Some(seen)).unwrap().is_some(), "the control");
}
