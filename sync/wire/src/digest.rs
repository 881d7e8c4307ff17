//! The name of an asset.

use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Read at a time.
const READ_BYTES: usize = 256 << 10;

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// What is no digit counts as.
const NO_DIGIT: u8 = 16;
/// What each byte counts as: a manifest has twenty thousand digests, and they are read in one go.
const VALUES: [u8; 256] = {
    let (mut values, mut value) = ([NO_DIGIT; 256], 0);
    while value < DIGITS.len() {
        values[DIGITS[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// SHA-256 of a file's bytes, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// A text that is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("digest {found:?}: want 64 lower-case hexadecimal digits")]
pub struct DigestError {
    /// What was written instead.
    pub found: String,
}

impl Digest {
    /// Hashes `bytes` that are in memory as a whole.
    pub fn of(bytes: &[u8]) -> Self {
        let mut hasher = Hasher::default();
        hasher.update(bytes);
        hasher.digest()
    }

    /// Hashes everything that `source` has, a buffer at a time.
    ///
    /// # Errors
    ///
    /// What reading `source` fails with.
    pub fn of_all(source: impl Read) -> io::Result<Self> {
        let mut hasher = Hasher::default();
        io::copy(&mut BufReader::with_capacity(READ_BYTES, source), &mut hasher)?;
        Ok(hasher.digest())
    }
}

/// A digest in the making, of bytes that come in pieces.
///
/// By `ring`, which has the SHA instructions of a Pi 5 and assembler for a Pi 4, chosen at run time.
#[derive(Clone)]
pub struct Hasher(ring::digest::Context);

impl Default for Hasher {
    fn default() -> Self {
        Hasher(ring::digest::Context::new(&ring::digest::SHA256))
    }
}

impl Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all bytes so far.
    pub fn digest(&self) -> Digest {
        let mut digest = [0; 32];
        // As long as the other: SHA-256 has 32 bytes.
        digest.copy_from_slice(self.0.clone().finish().as_ref());
        Digest(digest)
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let value = |digit: u8| VALUES[usize::from(digit)];
        let (mut digest, mut seen) = ([0; 32], 0);
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let (high, low) = (value(pair[0]), value(pair[1]));
            *byte = high << 4 | low;
            seen |= high | low;
        }
        match text.len() == 64 && seen < NO_DIGIT {
            true => Ok(Digest(digest)),
            false => Err(DigestError { found: text.chars().take(80).collect() }),
        }
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Digest;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("64 lower-case hexadecimal digits")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Digest, E> {
        text.parse().map_err(E::custom)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        }
        f.write_str(str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer() {
        // FIPS 180-2, appendix B.1.
        let want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of(b"abc").to_string(), want);
        assert_eq!(want.parse::<Digest>(), Ok(Digest::of(b"abc")));
    }

    #[test]
    fn pieces_make_the_digest_of_the_whole() {
        let bytes: Vec<u8> = (0..=255).cycle().take(READ_BYTES + 1).collect();
        let mut hasher = Hasher::default();
        for piece in bytes.chunks(1_000) {
            hasher.update(piece);
        }
        assert_eq!(hasher.digest(), Digest::of(&bytes));
        assert_eq!(Digest::of_all(&*bytes).unwrap(), Digest::of(&bytes));
    }

    #[test]
    fn anything_else_is_refused() {
        for (case, text) in [
            ("empty", String::new()),
            ("short", "ab".repeat(31)),
            ("upper case", "AB".repeat(32)),
            ("path", format!("../{}", "a".repeat(61))),
            ("not ascii", "é".repeat(32)),
            ("one wrong digit", format!("{}g", "a".repeat(63))),
            ("one too many", "a".repeat(65)),
        ] {
            assert!(text.parse::<Digest>().is_err(), "case {case:?}");
        }
    }
}
