//! Secrets: how they are made, written and remembered.
//!
//! The cloud keeps only SHA-256 hashes of what it hands out; a stolen database opens no door.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use vitrine_wire::Digest;

/// Letters of a user code: no vowels (no words), nothing that looks like something else.
const CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters in a user code.
const CODE_LEN: usize = 8;
/// Bytes below this map to letters without favouring any: 12 × 20.
const CODE_FAIR: u8 = 240;

/// What is kept of a secret.
pub type Hash = [u8; 32];

/// A bearer token or device code: 256 bits.
pub fn token(random: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

/// An id that need not be secret but must not collide: 128 bits in hexadecimal digits.
pub fn id(random: [u8; 32]) -> String {
    let mut id = Digest(random).to_string();
    id.truncate(32);
    id
}

/// What is kept of `secret`.
pub fn hash(secret: &str) -> Hash {
    Digest::of(secret.as_bytes()).0
}

/// A user code; `random` is asked again for the rare draw with too few usable bytes.
pub fn user_code(random: impl Fn() -> [u8; 32]) -> String {
    loop {
        let draw = random();
        let fair = draw.iter().filter(|byte| **byte < CODE_FAIR).take(CODE_LEN);
        let code: String =
            fair.map(|byte| char::from(CODE_LETTERS[usize::from(*byte) % 20])).collect();
        if code.len() == CODE_LEN {
            return code;
        }
    }
}

/// A user code as a person typed it, made comparable. None if it cannot be one.
pub fn typed_code(typed: &str) -> Option<String> {
    let code: String = typed
        .chars()
        .filter(|c| !matches!(c, '-' | ' '))
        .map(|c| c.to_ascii_uppercase())
        .take(CODE_LEN + 1)
        .collect();
    let fits = code.len() == CODE_LEN && code.bytes().all(|c| CODE_LETTERS.contains(&c));
    fits.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        for (case, typed, want) in [
            ("as made", "BCDFGHJK", Some("BCDFGHJK")),
            ("as shown", "BCDF-GHJK", Some("BCDFGHJK")),
            ("small with spaces", " bcdf ghjk ", Some("BCDFGHJK")),
            ("short", "BCDF", None),
            ("long", "BCDFGHJKL", None),
            ("letter that is in no code", "BCDFGHJA", None),
            ("not ascii", "BCDFGHÖK", None),
            ("empty", "", None),
        ] {
            assert_eq!(typed_code(typed).as_deref(), want, "case {case:?}");
        }
    }

    #[test]
    fn an_unlucky_draw_is_drawn_again() {
        let draws = std::cell::Cell::new(0u8);
        let code = user_code(|| {
            draws.set(draws.get() + 1);
            if draws.get() == 1 { [255; 32] } else { [0; 32] }
        });
        assert_eq!((code.as_str(), draws.get()), ("BBBBBBBB", 2));
    }

    proptest! {
        #[test]
        fn every_code_made_can_be_typed(random: [u8; 32]) {
            let code = user_code(|| random.map(|byte| byte % CODE_FAIR));
            prop_assert_eq!(typed_code(&code), Some(code));
        }
    }
}
