//! Which walls stand around a worker, as it is told to people and machines.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a worker is kept from by the kernel, beside its limits on memory and descriptors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walls {
    /// Every system call but those of the list (seccomp).
    pub calls: bool,
    /// Every file but the libraries; its own it has (Landlock).
    pub files: bool,
    /// The network (a namespace of its own).
    pub network: bool,
}

impl Walls {
    /// Every wall with its name.
    pub fn each(self) -> [(&'static str, bool); 3] {
        [("seccomp", self.calls), ("Landlock", self.files), ("network namespace", self.network)]
    }

    /// Names of those that stand, or of those that do not.
    pub fn names(self, standing: bool) -> Vec<&'static str> {
        self.each().into_iter().filter(|(_, stands)| *stands == standing).map(|(n, _)| n).collect()
    }

    /// As one byte.
    pub(crate) fn bits(self) -> u8 {
        self.each().into_iter().rev().fold(0, |bits, (_, stands)| bits << 1 | u8::from(stands))
    }

    /// From one byte.
    pub(crate) fn from_bits(bits: u8) -> Option<Walls> {
        let bit = |place: u8| bits >> place & 1 == 1;
        (bits < 8).then(|| Walls { calls: bit(0), files: bit(1), network: bit(2) })
    }
}

impl fmt::Display for Walls {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let list = |names: Vec<&str>| match names.is_empty() {
            true => "none".to_owned(),
            false => names.join(", "),
        };
        f.write_str(&list(self.names(true)))?;
        let missing = self.names(false);
        if missing.is_empty() { Ok(()) } else { write!(f, "; not here: {}", missing.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_says_which_stand() {
        for bits in 0..8 {
            assert_eq!(Walls::from_bits(bits).map(Walls::bits), Some(bits));
        }
        assert_eq!(Walls::from_bits(8), None);
    }

    #[test]
    fn people_read_what_is_missing() {
        let all = Walls { calls: true, files: true, network: true };
        assert_eq!(all.to_string(), "seccomp, Landlock, network namespace");
        let some = Walls { files: false, ..all };
        assert_eq!(some.to_string(), "seccomp, network namespace; not here: Landlock");
        let none = Walls { calls: false, files: false, network: false };
        assert_eq!(none.to_string(), "none; not here: seccomp, Landlock, network namespace");
    }
}
