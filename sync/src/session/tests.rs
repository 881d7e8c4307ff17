use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;

use super::*;
use crate::error::Failure;

const URL: &str = "https://cloud.example";

/// `s` seconds after start, at 12:00 of a day plus that.
fn at(s: u64) -> Now {
    let noon: Timestamp = "2026-03-04T12:00:00Z".parse().unwrap();
    let wall = noon + SignedDuration::from_secs(s as i64);
    Now { wall, mono: Mono(s * 1_000_000_000), trust: Trust::Synced }
}

fn tenant_key(seed: u8) -> String {
    STANDARD.encode(SigningKey::from_bytes(&[seed; 32]).verifying_key().as_bytes())
}

fn account(tenant: &str) -> Account {
    let tenant_key = parse_tenant_key(&tenant_key(1)).unwrap();
    let (cloud_url, device, former_key) = (URL.into(), "d1".into(), None);
    Account { cloud_url, tenant: tenant.into(), device, tenant_key, former_key }
}

fn code() -> Reply {
    Reply::Pairing(Ok(PairingAnswer {
        device_code: "secret".into(),
        user_code: "ABCD-EFGH".into(),
        verification_uri: "https://cloud.example/pair".into(),
        verification_uri_complete: "https://cloud.example/pair?code=ABCD-EFGH".into(),
        interval_s: 5,
        expires_in_s: 600,
    }))
}

fn tokens(n: u32, tenant: &str) -> Reply {
    Reply::Token(Ok(TokenAnswer {
        access_token: format!("access{n}"),
        token_type: "Bearer".into(),
        expires_in_s: 3_600,
        refresh_token: format!("refresh{n}"),
        tenant: tenant.into(),
        device: "d1".into(),
        tenant_key: tenant_key(1),
    }))
}

fn no(status: u16, problem: &str) -> Reply {
    let failure = Failure::Refused { status, error: problem.into(), description: String::new() };
    Reply::Token(Err(CloudError::new("POST token", failure)))
}

fn no_answer() -> Reply {
    Reply::Token(Err(CloudError::new("POST token", Failure::Unreachable("down".into()))))
}

/// A question by its kind, with the token in it.
fn kind(ask: &Ask) -> String {
    match ask {
        Ask::Pairing => "pairing".into(),
        Ask::Token(Grant::DeviceCode(code)) => format!("code {code}"),
        Ask::Token(Grant::Refresh(token)) => format!("refresh {token}"),
        Ask::Token(Grant::Assertion { device, .. }) => format!("assertion {device}"),
    }
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Show(answer) => format!("show {}", answer.user_code),
        Effect::Paired(account) => format!("paired {}", account.tenant),
        Effect::Unpaired => "unpaired".into(),
        Effect::Trouble { code, .. } => format!("trouble {code}"),
    }
}

/// One step of a table: at this second it must ask this (and had nothing to ask a second before);
/// the cloud answers that; these effects follow.
type Step = (u64, &'static str, Reply, &'static [&'static str]);

/// Walks through a table with the random number 0: every back-off is its floor.
fn walk(session: &mut Session, steps: Vec<Step>) {
    for (n, step) in steps.into_iter().enumerate() {
        let early = step.0.saturating_sub(1);
        let next = session.deadline().unwrap_or_else(|| panic!("step {n}: still asking"));
        assert!(next == Mono(0) || next.0 > at(early).mono.0, "step {n}: would ask too early");
        sleep_and_walk(session, vec![step]);
    }
}

/// The same for a machine that slept before each step.
fn sleep_and_walk(session: &mut Session, steps: Vec<Step>) {
    for (n, (s, want, reply, effects)) in steps.into_iter().enumerate() {
        let ask = session.due(at(s)).unwrap_or_else(|| panic!("step {n}: asks nothing"));
        assert_eq!(kind(&ask), want, "step {n}");
        assert_eq!(session.due(at(s)), None, "step {n}: asks twice");
        let got: Vec<String> = session.answered(reply, at(s), 0.0).iter().map(effect).collect();
        assert_eq!(got, effects, "step {n}");
    }
}

fn fresh() -> Session {
    Session::new(URL.into(), None, Mono(0))
}

fn paired() -> Session {
    Session::new(URL.into(), Some(account("acme")), Mono(0))
}

#[test]
fn a_device_pairs() {
    let mut session = fresh();
    walk(
        &mut session,
        vec![
            (0, "pairing", code(), &["show ABCD-EFGH"]),
            (5, "code secret", no(400, problem::AUTHORIZATION_PENDING), &[]),
            (10, "code secret", no(400, problem::SLOW_DOWN), &[]),
            (20, "code secret", no_answer(), &[]),
            (30, "code secret", no(500, ""), &[]),
            (40, "code secret", tokens(1, "acme"), &["paired acme"]),
        ],
    );
    let pass = session.pass(at(40)).expect("a pass");
    assert_eq!((pass.token.as_str(), pass.tenant.as_str()), ("access1", "acme"));
    assert_eq!(session.account(), Some(&account("acme")));
}

#[test]
fn a_code_that_nobody_approves_is_replaced() {
    let mut session = fresh();
    walk(
        &mut session,
        vec![
            (0, "pairing", code(), &["show ABCD-EFGH"]),
            (5, "code secret", no(400, problem::EXPIRED_TOKEN), &[]),
            (6, "pairing", code(), &["show ABCD-EFGH"]),
            (11, "code secret", no(400, problem::ACCESS_DENIED), &["trouble pairing_denied"]),
            (38, "pairing", code(), &["show ABCD-EFGH"]),
        ],
    );
    // Far beyond its life without a word of the cloud.
    sleep_and_walk(&mut session, vec![(700, "pairing", code(), &["show ABCD-EFGH"])]);
}

#[test]
fn what_cannot_be_shown_or_used_is_refused() {
    for (case, change) in [
        (
            "long code",
            Box::new(|a: &mut PairingAnswer| a.user_code = "X".repeat(33)) as Box<dyn Fn(&mut _)>,
        ),
        ("no code", Box::new(|a: &mut PairingAnswer| a.user_code.clear())),
        ("long address", Box::new(|a: &mut PairingAnswer| a.verification_uri = "x".repeat(2_000))),
    ] {
        let Reply::Pairing(Ok(mut answer)) = code() else { unreachable!() };
        change(&mut answer);
        let mut session = fresh();
        session.due(at(0));
        let got = session.answered(Reply::Pairing(Ok(answer)), at(0), 0.0);
        assert_eq!(
            got.iter().map(effect).collect::<Vec<_>>(),
            ["trouble pairing_answer"],
            "{case}"
        );
    }
    for (case, change) in [
        (
            "line break in an id",
            Box::new(|a: &mut TokenAnswer| a.tenant = "a\r\nb".into()) as Box<dyn Fn(&mut _)>,
        ),
        ("empty id", Box::new(|a: &mut TokenAnswer| a.device.clear())),
        ("no key", Box::new(|a: &mut TokenAnswer| a.tenant_key = "AAAA".into())),
    ] {
        let Reply::Token(Ok(mut answer)) = tokens(1, "acme") else { unreachable!() };
        change(&mut answer);
        let mut session = fresh();
        walk(&mut session, vec![(0, "pairing", code(), &["show ABCD-EFGH"])]);
        session.due(at(5));
        let got = session.answered(Reply::Token(Ok(answer)), at(5), 0.0);
        assert_eq!(got.iter().map(effect).collect::<Vec<_>>(), ["trouble token_refused"], "{case}");
        assert_eq!(session.account(), None, "{case}");
    }
}

#[test]
fn tokens_are_renewed() {
    let mut session = paired();
    walk(
        &mut session,
        vec![
            (0, "assertion d1", no_answer(), &[]),
            (1, "assertion d1", tokens(1, "acme"), &[]),
            // 40.5 % of an hour.
            (1_459, "refresh refresh1", tokens(2, "acme"), &[]),
            (2_917, "refresh refresh2", no_answer(), &[]),
        ],
    );
    assert_eq!(session.pass(at(2_918)).map(|p| p.token.as_str()), Some("access2"), "still good");
    // A refresh token whose answer was lost is never used again.
    walk(&mut session, vec![(2_918, "assertion d1", no_answer(), &[])]);
    assert_eq!(session.pass(at(1_459 + 3_600)), None, "lapsed");
    walk(&mut session, vec![(2_921, "assertion d1", tokens(3, "acme"), &[])]);
    assert_eq!(session.pass(at(2_921)).map(|p| p.token.as_str()), Some("access3"));
}

#[test]
fn a_refused_refresh_falls_back_to_the_key_at_once() {
    let mut session = paired();
    walk(
        &mut session,
        vec![
            (0, "assertion d1", tokens(1, "acme"), &[]),
            (1_458, "refresh refresh1", no(400, problem::INVALID_GRANT), &[]),
        ],
    );
    assert!(session.due(at(1_458)).is_some_and(|ask| kind(&ask) == "assertion d1"));
}

#[test]
fn a_refused_access_token_is_replaced_but_not_in_a_loop() {
    let mut session = paired();
    walk(&mut session, vec![(0, "assertion d1", tokens(1, "acme"), &[])]);
    session.refused(at(100), 0.0);
    assert_eq!(session.pass(at(100)), None);
    walk(&mut session, vec![(100, "assertion d1", tokens(2, "acme"), &[])]);
    session.refused(at(100), 1.0);
    assert_eq!(session.due(at(101)), None, "a token refused at once is no matter of age");
    assert!(session.due(at(102)).is_some());
}

#[test]
fn a_removed_device_pairs_anew() {
    let mut session = paired();
    walk(
        &mut session,
        vec![
            (0, "assertion d1", no(401, problem::UNKNOWN_DEVICE), &["unpaired"]),
            (0, "pairing", code(), &["show ABCD-EFGH"]),
        ],
    );
    assert_eq!(session.account(), None);
    sleep_and_walk(
        &mut session,
        vec![
            // The code has lapsed: perhaps the cloud has come to its senses? Said once only.
            (600, "assertion d1", no(401, problem::UNKNOWN_DEVICE), &[]),
            (600, "pairing", code(), &["show ABCD-EFGH"]),
            (605, "code secret", tokens(1, "other"), &["paired other"]),
        ],
    );
    assert_eq!(session.account().map(|a| a.tenant.as_str()), Some("other"));
}

#[test]
fn a_device_that_is_known_again_goes_on() {
    let mut session = paired();
    walk(
        &mut session,
        vec![
            (0, "assertion d1", no(401, problem::UNKNOWN_DEVICE), &["unpaired"]),
            (0, "pairing", code(), &["show ABCD-EFGH"]),
        ],
    );
    sleep_and_walk(&mut session, vec![(600, "assertion d1", tokens(1, "acme"), &["paired acme"])]);
    assert_eq!(session.account(), Some(&account("acme")));
}

#[test]
fn a_token_for_somebody_else_is_not_used() {
    let mut session = paired();
    let troubled: &[&str] = &["trouble token_refused"];
    walk(&mut session, vec![(0, "assertion d1", tokens(1, "other"), troubled)]);
    assert_eq!(session.pass(at(0)), None);
    assert_eq!(session.account(), Some(&account("acme")));
}

#[test]
fn the_key_pinned_at_pairing_stays() {
    let Reply::Token(Ok(mut answer)) = tokens(1, "acme") else { unreachable!() };
    answer.tenant_key = tenant_key(2);
    let mut session = paired();
    walk(&mut session, vec![(0, "assertion d1", Reply::Token(Ok(answer)), &[])]);
    assert_eq!(session.account(), Some(&account("acme")));
}

#[test]
fn a_wrong_clock_is_no_obstacle() {
    let noon = at(0).wall;
    let told = noon + SignedDuration::from_hours(10);
    let signed_at = |session: &mut Session, now: Now| match session.due(now) {
        Some(Ask::Token(Grant::Assertion { at, .. })) => at,
        other => panic!("{other:?}"),
    };
    for (case, trust, told, want) in [
        ("synced, cloud silent", Trust::Synced, None, noon),
        ("synced, cloud agrees", Trust::Synced, Some(noon + CLOCKS_AGREE), noon),
        ("synced, cloud contradicts", Trust::Synced, Some(told), told),
        ("guess, cloud silent", Trust::Guess, None, noon),
        ("guess, cloud near", Trust::Guess, Some(noon + CLOCKS_AGREE), noon + CLOCKS_AGREE),
        ("guess, cloud contradicts", Trust::Guess, Some(told), told),
    ] {
        let mut session = paired();
        session.heard(told, Now { trust, ..at(0) });
        assert_eq!(signed_at(&mut session, Now { trust, ..at(0) }), want, "case {case:?}");
    }
    // As it happens: the first try is refused, its answer brings the time, the second is right.
    let mut session = paired();
    let guess = |s| Now { trust: Trust::Guess, ..at(s) };
    assert_eq!(signed_at(&mut session, guess(0)), noon);
    session.heard(Some(told), guess(0));
    assert_eq!(session.answered(no(400, problem::INVALID_GRANT), guess(0), 0.0), []);
    assert_eq!(signed_at(&mut session, guess(1)), told + SignedDuration::from_secs(1));
    let again = session.answered(no(400, problem::INVALID_GRANT), guess(1), 0.0);
    assert_eq!(again.iter().map(effect).collect::<Vec<_>>(), ["trouble token_refused"]);
}

#[test]
fn nothing_secret_gets_into_a_text() {
    let mut session = paired();
    walk(&mut session, vec![(0, "assertion d1", tokens(1, "acme"), &[])]);
    let ask = session.due(at(2_600));
    let text = format!("{:?} {ask:?}", session.pass(at(0)));
    assert!(!text.contains("access1") && !text.contains("refresh1"), "{text}");
}
